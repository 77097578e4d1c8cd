package desk

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// Machinery is how the program itself stands, as the process knows that answers. It names no person and no message.
type Machinery struct {
	Stopped  string // why this computer sends nothing, a sentence; "" if it does
	Provider string // a sentence: whether it can be reached
	Queue    Queue
	Disk     Disk
	Mail     string // a sentence: whether mails to staff go
	Mails    []Mail // in a demo's pretend mailbox, the newest first
}

// Mail is a mail in a pretend mailbox. It names no patient.
type Mail struct {
	At                time.Time
	To, Subject, Text string
}

// Queue is how much is in it: of all networks, since they share it.
type Queue struct {
	Away      bool // Redis does not answer, so nothing is known
	Inside    bool // it is inside this process
	Waiting   int
	InHand    int
	Again     int // failed and will be tried again
	Dead      int // given up by the queue; the pacer rings again for them
	Oldest    time.Duration
	Processes []Process
}

// Process answers the queue.
type Process struct {
	Host   string
	PID    int
	AtOnce int // texts
	Since  time.Time
}

// Disk is that of this process's data folder, in bytes.
type Disk struct {
	Free, Floor, Ballast int64
}

type systemData struct {
	Stopped   string
	Sending   ui.SummaryList
	Queue     ui.SummaryList
	Processes ui.Table
	Messages  ui.Table
	Alarms    ui.Table
	Computer  ui.SummaryList
	Mails     *ui.Table // nil: there is no pretend mailbox
	// NoGuardian says that no Caldicott guardian is set.
	NoGuardian bool
}

func (h *Handler) systemPage(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.ViewSystem, "system")
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	x, err := h.cfg.Store.Workings(ctx, who.Network)
	if err != nil {
		h.pageError(w, r, fmt.Errorf("read how sending stands: %w", err))
		return
	}
	d, err := h.systemData(ctx, who, x, h.cfg.Machinery(ctx))
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	p, err := h.page(ctx, r, who, "System", d)
	h.show(w, r, http.StatusOK, "system", p, err)
}

func (h *Handler) systemData(ctx context.Context, who staff.Account, x campaign.Workings, m Machinery) (*systemData, error) {
	fact := func(l *ui.SummaryList, key string, values ...string) {
		row := ui.SummaryRow{Key: key}
		for _, v := range values {
			if v != "" {
				row.Values = append(row.Values, ui.Cell{Text: v})
			}
		}
		l.Rows = append(l.Rows, row)
	}
	d := &systemData{Stopped: m.Stopped, NoGuardian: x.NoGuardian}
	leader := "No process has paced yet."
	switch {
	case x.Leads:
		leader = x.Leader + ", since " + h.when(x.Since)
	case x.Leader != "":
		leader = "None at the moment. The last was " + x.Leader + "."
	}
	fact(&d.Sending, "Paced by", leader)
	fact(&d.Sending, "Provider", m.Provider)
	quarantine := "None"
	if x.Halt.On() {
		quarantine = x.Halt.Sentence()
	}
	fact(&d.Sending, "Quarantine", quarantine)
	fact(&d.Sending, "E-mail to staff", m.Mail)
	if len(m.Mails) > 0 {
		d.Mails = &ui.Table{Caption: "Mails in the pretend mailbox, the newest first", Head: []ui.Cell{{Text: "When"}, {Text: "To"}, {Text: "Subject"}, {Text: "Text"}}, Stacked: true}
		for _, k := range m.Mails {
			d.Mails.Rows = append(d.Mails.Rows, []ui.Cell{{Text: h.when(k.At)}, {Text: k.To}, {Text: k.Subject}, {Text: k.Text}})
		}
	}

	q := m.Queue
	switch {
	case q.Away:
		fact(&d.Queue, "Redis", "Does not answer. Sending waits for it; nothing is lost.")
	case q.Inside:
		fact(&d.Queue, "Redis", "Inside this process")
	default:
		fact(&d.Queue, "Redis", "Answers")
	}
	if !q.Away {
		fact(&d.Queue, "Waiting", number(q.Waiting))
		fact(&d.Queue, "In hand", number(q.InHand))
		fact(&d.Queue, "To be tried again", number(q.Again))
		fact(&d.Queue, "Given up by the queue", number(q.Dead))
		oldest := "Nothing waits"
		if q.Waiting > 0 {
			oldest = lasting(q.Oldest)
		}
		fact(&d.Queue, "The first in line has waited", oldest)
	}
	d.Processes = ui.Table{Caption: "Processes that send", Head: []ui.Cell{{Text: "Computer"}, {Text: "Process", Numeric: true}, {Text: "Texts at once", Numeric: true}, {Text: "Since"}}, RowHeaders: true, Stacked: true,
		Empty: "No process sends at the moment."}
	for _, p := range q.Processes {
		d.Processes.Rows = append(d.Processes.Rows, []ui.Cell{{Text: p.Host}, {Text: fmt.Sprint(p.PID), Numeric: true}, {Text: number(p.AtOnce), Numeric: true}, {Text: h.when(p.Since)}})
	}

	d.Messages = ui.Table{Caption: "Texts of this network", Head: []ui.Cell{{Text: "Where they are"}, {Text: "Texts", Numeric: true}}, RowHeaders: true}
	for _, s := range campaign.MessageStates {
		d.Messages.Rows = append(d.Messages.Rows, []ui.Cell{{Text: stateWords[s]}, {Text: number(x.Counts[s]), Numeric: true}})
	}

	all, err := h.cfg.Store.Campaigns(ctx, who.Network, listsShown)
	if err != nil {
		return nil, fmt.Errorf("read the campaigns: %w", err)
	}
	names := map[campaign.ID]string{}
	for _, c := range all {
		names[c.ID] = c.Name
	}
	d.Alarms = ui.Table{Caption: "Alarms of the last two weeks", Head: []ui.Cell{{Text: "When"}, {Text: "What"}, {Text: "Campaign"}}, Stacked: true, Empty: "There were none."}
	for _, a := range x.Alarms {
		where := ui.Cell{Text: "All"}
		if a.Campaign != 0 {
			where = ui.Cell{Text: names[a.Campaign], Href: fmt.Sprintf("/desk/campaigns/%d", a.Campaign)}
			if where.Text == "" {
				where.Text = "An older one"
			}
		}
		d.Alarms.Rows = append(d.Alarms.Rows, []ui.Cell{{Text: h.when(a.At)}, {Text: alarmSentence(a)}, where})
	}

	owed := "Nothing: the database has all of it"
	if x.Owed > 0 {
		owed = count(x.Owed, "form or opt-out", "forms and opt-outs") + ". The database takes them as soon as it can."
	}
	fact(&d.Computer, "Only in the journal", owed)
	if m.Disk.Free > 0 || m.Disk.Floor > 0 {
		fact(&d.Computer, "Free on the disk", megabytes(m.Disk.Free), "Nothing is sent below "+megabytes(m.Disk.Floor)+".")
		ballast := "Dropped, or not made yet"
		if m.Disk.Ballast > 0 {
			ballast = megabytes(m.Disk.Ballast) + ", dropped if the disk is full"
		}
		fact(&d.Computer, "Ballast", ballast)
	}
	return d, nil
}

// lasting is a length of time as people say it.
func lasting(d time.Duration) string {
	switch {
	case d >= 2*time.Hour:
		return count(int(d/time.Hour), "hour", "hours")
	case d >= 2*time.Minute:
		return count(int(d/time.Minute), "minute", "minutes")
	}
	return count(int(d/time.Second), "second", "seconds")
}

func megabytes(bytes int64) string {
	if bytes >= 10<<30 {
		return number(int(bytes>>30)) + " GB"
	}
	return number(int(bytes>>20)) + " MB"
}

type systemAnswer struct {
	Stopped    string                        `json:"stopped"` // why, "" if not
	Leader     string                        `json:"leader"`
	Leads      bool                          `json:"leads"`
	Since      *time.Time                    `json:"leads_since"`
	Provider   string                        `json:"provider"`
	Quarantine bool                          `json:"quarantine"`
	Queue      queueAnswer                   `json:"queue"`
	Messages   map[campaign.MessageState]int `json:"messages"`
	Alarms     []alarmAnswer                 `json:"alarms"`
	Owed       int                           `json:"journal_owed"`
	Disk       diskAnswer                    `json:"disk"`
	Mail       string                        `json:"mail"` // a sentence: whether mails to staff go
}

type queueAnswer struct {
	Answers   bool            `json:"answers"`
	Inside    bool            `json:"inside"`
	Waiting   int             `json:"waiting"`
	InHand    int             `json:"in_hand"`
	Again     int             `json:"retrying"`
	Dead      int             `json:"dead"`
	Oldest    float64         `json:"oldest_seconds"`
	Processes []processAnswer `json:"processes"`
}

type processAnswer struct {
	Host   string    `json:"host"`
	PID    int       `json:"pid"`
	AtOnce int       `json:"at_once"`
	Since  time.Time `json:"since"`
}

type alarmAnswer struct {
	At       time.Time   `json:"at"`
	Code     string      `json:"code"`
	Campaign campaign.ID `json:"campaign,omitempty"`
	Sentence string      `json:"sentence"`
}

type diskAnswer struct {
	Free    int64 `json:"free_bytes"`
	Floor   int64 `json:"floor_bytes"`
	Ballast int64 `json:"ballast_bytes"`
}

func (h *Handler) apiSystem(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.ViewSystem, "system")
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	x, err := h.cfg.Store.Workings(ctx, who.Network)
	if err != nil {
		h.apiError(ctx, w, fmt.Errorf("read how sending stands: %w", err))
		return
	}
	m := h.cfg.Machinery(ctx)
	q := m.Queue
	a := systemAnswer{Stopped: m.Stopped, Leader: x.Leader, Leads: x.Leads, Provider: m.Provider, Quarantine: x.Halt.On(), Messages: map[campaign.MessageState]int{}, Alarms: []alarmAnswer{}, Owed: x.Owed,
		Queue: queueAnswer{Answers: !q.Away, Inside: q.Inside, Waiting: q.Waiting, InHand: q.InHand, Again: q.Again, Dead: q.Dead, Oldest: q.Oldest.Seconds(), Processes: []processAnswer{}}, Disk: diskAnswer(m.Disk), Mail: m.Mail}
	if !x.Since.IsZero() {
		a.Since = &x.Since
	}
	for _, p := range q.Processes {
		a.Queue.Processes = append(a.Queue.Processes, processAnswer(p))
	}
	for _, s := range campaign.MessageStates {
		a.Messages[s] = x.Counts[s]
	}
	for _, l := range x.Alarms {
		a.Alarms = append(a.Alarms, alarmAnswer{At: l.At, Code: l.Code, Campaign: l.Campaign, Sentence: alarmSentence(l)})
	}
	writeJSON(w, http.StatusOK, a)
}
