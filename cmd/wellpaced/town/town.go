package town

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle/sim"
)

// Phones are the telephones of the town: an emulated provider.
type Phones interface {
	Texts(after int64, max int) []emulator.Text
	InboundFrom(ctx context.Context, phone, body, inboundURL string) error
}

// Hand is somebody of the staff who is one of the town.
type Hand struct {
	Account staff.AccountID
	Role    staff.Role
	Token   string // of the API
}

// Config of a town. All of it but Log, Manager and Campaign is needed.
type Config struct {
	Dir  string // the diary lives here
	Site string // scheme and host of Wellpaced
	Seed uint64
	// Patients, Practices and Today are those of the list: see [WriteList].
	Patients  int
	Practices []staff.Practice
	Today     time.Time
	World     sim.World // how many people answer, and how fast
	Team      staff.TeamID
	Hands     []Hand
	// Manager watches over the campaign, and looks at the link when answers have stopped. Neither is set where somebody at the keyboard is
	// the manager, of whatever campaigns they make.
	Manager  Hand
	Campaign campaign.ID
	Phones   Phones
	// Visitors may come: what somebody at the keyboard sends is left for them to find in the queue before the town's link workers take it.
	Visitors bool
	Log      *slog.Logger
}

// Town is patients and link workers. Its methods are not safe for concurrent use.
type Town struct {
	cfg    Config
	log    *slog.Logger
	people map[string]neighbour
	world  sim.World
	web    *http.Client // without cookies; dials this computer only
	diary  *diary

	read   int64          // delivery number of the last text read
	texts  map[string]int // texts read, by number
	mu     sync.Mutex     // of what follows, while people act
	done   map[deed]bool
	posts  map[deed]entry  // forms that were about to be sent
	ours   map[string]bool // references of the town's own forms
	agenda agenda

	desk    desk
	manager manager
}

// deed is what somebody did with a text.
type deed struct {
	text int64
	what string
}

// Open makes a town, or goes on with the one whose diary is in cfg.Dir.
func Open(cfg Config) (*Town, error) {
	if cfg.Dir == "" || cfg.Site == "" || cfg.Phones == nil || len(cfg.Practices) == 0 || len(cfg.Hands) == 0 || (cfg.Manager.Token == "") != (cfg.Campaign == 0) {
		return nil, errors.New("open the town: Dir, Site, Phones, Practices and Hands must be set, and Manager and Campaign both or neither")
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the town: %w", err)
	}
	t := &Town{cfg: cfg, log: cfg.Log, people: register(cfg.Seed, cfg.Patients, cfg.Practices, cfg.Today),
		world: cfg.World.Drawn(lots(cfg.Seed, "practices")), web: loopbackClient(),
		texts: map[string]int{}, done: map[deed]bool{}, posts: map[deed]entry{}, ours: map[string]bool{}}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	t.desk, t.manager = newDesk(t), newManager(cfg.Manager)
	var err error
	t.diary, err = openDiary(cfg.Dir, func(e entry) {
		switch e.Kind {
		case did:
			t.done[deed{e.Text, e.Deed}] = true
			delete(t.posts, deed{e.Text, e.Deed})
		case sending:
			t.posts[deed{e.Text, e.Deed}] = e
		case ours:
			t.ours[e.Form] = true
		case watch:
			t.manager.recall(e)
		default:
			t.desk.recall(e)
		}
	})
	return t, err
}

// Owner says who lives behind a number, for somebody who tries their form; "" for a number of somebody else's list.
func (t *Town) Owner(number string) string {
	who, ok := t.people[number]
	if !ok {
		return ""
	}
	owner := fmt.Sprintf("%s %s, born %s", who.given, who.family, who.born.Format("2 January 2006"))
	if who.speaks != &tongues[0] {
		owner += ", speaks " + who.speaks.name
	}
	return owner
}

// Close lets go of the diary.
func (t *Town) Close() error {
	t.web.CloseIdleConnections()
	return errors.Join(t.diary.sync(), t.diary.f.Close())
}

// Next is when the town has something to do; false if nothing is planned.
func (t *Town) Next() (time.Time, bool) {
	next, ok := t.desk.next()
	if at, watches := t.manager.next(&t.desk); watches && (!ok || at.Before(next)) {
		next, ok = at, true
	}
	if len(t.agenda) > 0 && (!ok || t.agenda[0].at.Before(next)) {
		return t.agenda[0].at, true
	}
	return next, ok
}

// Tick does everything that is due at now, and returns when all requests are answered. What goes wrong is logged and tried again.
func (t *Town) Tick(ctx context.Context, now time.Time) error {
	t.readTexts()
	for len(t.agenda) > 0 && !t.agenda[0].at.After(now) {
		var due []plan
		for len(t.agenda) > 0 && !t.agenda[0].at.After(now) {
			due = append(due, heap.Pop(&t.agenda).(plan))
		}
		t.live(ctx, now, due)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if err := t.desk.work(ctx, now); err != nil {
		return err
	}
	if err := t.manage(ctx, now); err != nil {
		return err
	}
	// A clock that has moved on means that what happened before is on disk.
	return t.diary.sync()
}

// atOnce is how many people of the town use their telephones in the same moment.
const atOnce = 8

// live lets people do what they had planned.
func (t *Town) live(ctx context.Context, now time.Time, due []plan) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, p := range due {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			err := t.act(ctx, p)
			if err == nil {
				err = t.diary.note(entry{Kind: did, Text: p.text.Seq, Deed: p.what})
			}
			t.mu.Lock()
			defer t.mu.Unlock()
			switch {
			case err == nil:
				t.done[deed{p.text.Seq, p.what}] = true
			case ctx.Err() != nil: // it is planned again when the town is opened again
			case p.tries < mostTries:
				p.tries++
				p.at = now.Add(tryAgain)
				heap.Push(&t.agenda, p)
				t.log.Info("somebody in the town tries again", "what", p.what, "error", err)
			default:
				t.log.Warn("somebody in the town has given up", "what", p.what, "error", err)
			}
		})
	}
	wg.Wait()
}

const (
	mostTries = 20
	tryAgain  = 10 * time.Minute
)

// plan is what somebody is going to do with a text.
type plan struct {
	at    time.Time
	what  string
	text  emulator.Text
	tries int
}

// agenda is a heap of plans, the earliest first.
type agenda []plan

func (a agenda) Len() int { return len(a) }

func (a agenda) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].text.Seq < a[j].text.Seq
}

func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(plan)) }

func (a *agenda) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	*a = (*a)[:last]
	return x
}

// loopbackClient reaches this computer and nothing else.
func loopbackClient() *http.Client {
	dialer := net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		if a, err := netip.ParseAddrPort(address); err != nil || !a.Addr().Unmap().IsLoopback() {
			return errors.New("the town reaches this computer only")
		}
		return nil
	}}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 2 * atOnce, IdleConnTimeout: time.Minute}}
}
