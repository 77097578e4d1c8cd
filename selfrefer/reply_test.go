package selfrefer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

func TestIsStop_everyLanguage(t *testing.T) {
	for code, replies := range map[lang.Code][]string{
		lang.English: {"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "stop please", "please stop", "Please STOP texting me.", "“Stop”", "stop 🛑", "s\u200btop", "ＳＴＯＰ", "STOP!!!", "stoppppp", "no more texts thanks",
			"Don’t text me again", "stop sending me these messages"},
		lang.Welsh:     {"stopio", "Stopiwch os gwelwch yn dda", "Peidiwch ag anfon mwy o negeseuon"},
		lang.Polish:    {"proszę nie pisać", "Nie piszcie do mnie", "rezygnuję", "prosze przestańcie"},
		lang.Romanian:  {"opriți", "opriti va rog", "Nu mai trimiteți mesaje", "dezabonare"},
		lang.Urdu:      {"بند کریں", "پیغام بند کریں", "band karo", "message mat bhejo please"},
		lang.Punjabi:   {"ਬੰਦ ਕਰੋ", "ਸੁਨੇਹੇ ਨਾ ਭੇਜੋ ਜੀ", "band karo ji"},
		lang.Bengali:   {"বন্ধ করুন", "দয়া করে মেসেজ পাঠাবেন না", "bondho koren"},
		lang.Arabic:    {"توقف", "أوقفوا الرسائل من فضلكم", "إلغاء الاشتراك", "لا ترسلوا لي رسائل"},
		lang.Ukrainian: {"Стоп", "припиніть, будь ласка", "не пишите мне больше", "Відписатися"},
		lang.Chinese:   {"停止", "请停止", "退订", "不要再发短信了", "请不要再给我发短信"},
	} {
		for _, s := range replies {
			if _, stops, merely := readReply(s); !stops || !merely {
				t.Errorf("%s: %q does not stop: %v %v", code, s, stops, merely)
			}
		}
	}
	for _, s := range []string{"I can't stop crying", "please help me stop smoking", "the pain will not stop", "when does it stop", "can you cancel my appointment", "I am at the end", "nie mogę przestać płakać", "我停不下来哭",
		"لا أستطيع التوقف عن البكاء", "не можу перестати плакати", "I quit drinking", "বন্ধ ঘরে একা থাকি", "call me"} {
		if IsStop(s) {
			t.Errorf("%q stops", s)
		}
	}
	if said, stops, merely := readReply("Stop smoking is what I want to do"); said != SaidStop || !stops || merely {
		t.Errorf("a reply that begins with STOP and goes on: %q %v %v", said, stops, merely)
	}
}

func TestReadReply(t *testing.T) {
	for s, want := range map[string]Said{
		"CALL": SaidCall, "call me": SaidCall, "Ring": SaidCall, "Please call me back, thanks": SaidCall, "ffoniwch fi": SaidCall, "proszę o telefon": SaidCall, "Sunați-mă vă rog": SaidCall, "مجھے کال کریں": SaidCall,
		"mujhe call karo": SaidCall, "ਮੈਨੂੰ ਫ਼ੋਨ ਕਰੋ": SaidCall, "আমাকে কল করুন": SaidCall, "اتصل بي": SaidCall, "зателефонуйте мені": SaidCall, "перезвоните пожалуйста": SaidCall, "请打电话给我": SaidCall,
		"": SaidNothing, " \n": SaidNothing, "👍": SaidNothing, "?!": SaidNothing, "Thanks": SaidThanks, "ok": SaidThanks, "OK thank you": SaidThanks, "谢谢": SaidThanks, "дякую": SaidThanks, "شكرا": SaidThanks,
		"no thanks": SaidNo, "No, thank you": SaidNo, "nie dziękuję": SaidNo, "Wrong number": SaidNotMe, "who is this?": SaidNotMe, "sorry wrong number": SaidNotMe, "你是谁": SaidNotMe, "хто це?": SaidNotMe,
		"I'm driving right now. I'll get back to you later.": SaidAutomatic, "Sorry, I can't talk right now.": SaidAutomatic, "START": SaidStart, "unstop": SaidStart,
		"yes": SaidMore, "yes please": SaidMore, "I am lonely": SaidMore, "thanks but I need help with my rent": SaidMore, "no one talks to me": SaidMore, "my phone is driving me mad, I'm driving": SaidMore, "call centre staff bully me": SaidMore,
	} {
		if got, stops, _ := readReply(s); got != want || stops {
			t.Errorf("%q: got %q, want %q; stops %v", s, got, want, stops)
		}
	}
}

// FuzzReadReply: a lone STOP stays one in any quotes and signs; what merely holds it is none.
func FuzzReadReply(f *testing.F) {
	for _, s := range []string{"", "!", "👍", "STOP", "\xff", "’", "请", "i want to die"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(fold(s)) == 0 { // nothing but signs
			if said, _, _ := readReply(s); said != SaidNothing {
				t.Errorf("%q says %q", s, said)
			}
			if _, stops, merely := readReply(s + " stop " + s); !stops || !merely {
				t.Errorf("%q around STOP hides it", s)
			}
		}
		if IsStop("I can't " + s) {
			t.Errorf("%q after I can't opts out", s)
		}
		if _, stops, merely := readReply(s); merely && !stops {
			t.Errorf("%q merely stops and does not", s)
		}
	})
}

// undoer undoes what it is told to.
type undoer struct {
	undone []Undo
	err    error
}

func (u *undoer) Resume(_ context.Context, in Undo) error {
	u.undone = append(u.undone, in)
	return u.err
}

// TestReceiver_replies: nothing is lost, and danger is never told apart.
func TestReceiver_replies(t *testing.T) {
	from, err := person.ParseE164("+447700900001")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in           Reply
		undoErr      error
		stops, undos int
		asks         int
		said         Said
		channel      string
	}{
		{Reply{Body: "STOP please"}, nil, 1, 0, 0, "", ""},
		{Reply{Body: "arrêtez", Stop: true}, nil, 1, 0, 0, "", ""},
		{Reply{Body: "STOP", Stop: true}, nil, 1, 0, 0, "", ""},
		{Reply{Body: "he hits me", Stop: true}, nil, 1, 0, 1, SaidMore, ""},
		{Reply{Body: "stop", Media: 1}, nil, 1, 0, 1, SaidStop, ""},
		{Reply{Body: "stop and let me tell you about my rent"}, nil, 1, 0, 1, SaidStop, ""},
		{Reply{Body: "stop, he hits me"}, nil, 1, 0, 1, SaidMore, ""},
		{Reply{Body: "I can't stop crying"}, nil, 0, 0, 1, SaidMore, ""},
		{Reply{Body: "CALL ME"}, nil, 0, 0, 1, SaidCall, "call"},
		{Reply{Body: "👍"}, nil, 0, 0, 1, SaidNothing, ""},
		{Reply{Media: 2}, nil, 0, 0, 1, SaidNothing, ""},
		{Reply{Body: "wrong number"}, nil, 0, 0, 1, SaidNotMe, ""},
		{Reply{Body: "I'm driving, urgent only"}, nil, 0, 0, 1, SaidMore, ""},
		{Reply{Body: "START"}, nil, 0, 1, 0, "", ""},
		{Reply{Body: "START"}, ErrNothingToUndo, 0, 1, 1, SaidStart, ""},
		{Reply{Body: "YES", Start: true}, nil, 0, 1, 1, SaidMore, ""},
		{Reply{Body: "yes, I want to die", Start: true}, ErrNothingToUndo, 0, 1, 1, SaidMore, ""},
	} {
		k, u := &keeper{}, &undoer{err: c.undoErr}
		r := Receiver{Keeper: k, Undoer: u, Now: func() time.Time { return today }}
		c.in.ID, c.in.Network, c.in.From = "SM1", 7, from
		if err := r.Reply(t.Context(), c.in); err != nil {
			t.Fatal(err)
		}
		if len(k.optOuts) != c.stops || len(u.undone) != c.undos || len(k.forms) != c.asks {
			t.Errorf("%q: %d opt-outs, %d undone, %d referrals", c.in.Body, len(k.optOuts), len(u.undone), len(k.forms))
			continue
		}
		for _, f := range k.forms {
			if a := f.Answers; a.Said != c.said || a.Channel != c.channel || a.Media != c.in.Media || a.CallSafe != SafeUnasked || a.Words != c.in.Body {
				t.Errorf("%q: got %q by %q", c.in.Body, a.Said, a.Channel)
			}
		}
		for _, o := range u.undone {
			if o.Phone != from || o.Network != 7 || !o.At.Equal(today) {
				t.Errorf("%q undoes for network %d at %v", c.in.Body, o.Network, o.At)
			}
		}
		if s := fmt.Sprintf("%v %+v %#v %s", c.in, c.in, c.in, c.in.LogValue()); strings.Contains(s, "7700") || c.in.Body != "" && strings.Contains(s, c.in.Body) {
			t.Errorf("a printed reply tells of its sender: %s", s)
		}
	}
	bad := errors.New("away")
	r := Receiver{Keeper: &keeper{}, Undoer: &undoer{err: bad}, Now: func() time.Time { return today }}
	if err := r.Reply(t.Context(), Reply{ID: "SM1", From: from, Body: "START"}); !errors.Is(err, bad) {
		t.Errorf("got %v: the provider would not try again", err)
	}
}

// TestReceiver_dangerIsNeverToldApart: whatever a cry is mixed with.
func TestReceiver_dangerIsNeverToldApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cry := rapid.SampledFrom(cries).Draw(t, "cry").words
		mix := rapid.SampledFrom([]string{"STOP", "thanks", "ok", "call me", "wrong number", "I'm driving", "START", "👍", "no thanks"})
		body := strings.Join(rapid.Permutation([]string{cry, mix.Draw(t, "a"), mix.Draw(t, "b")}).Draw(t, "order"), " ")
		k := &keeper{}
		r := Receiver{Keeper: k, Undoer: &undoer{}, Now: func() time.Time { return today }}
		if err := r.Reply(context.Background(), Reply{ID: "SM1", Body: body, Stop: rapid.Bool().Draw(t, "stop"), Start: rapid.Bool().Draw(t, "start")}); err != nil {
			t.Fatal(err)
		}
		if len(k.forms) != 1 || k.forms[0].Answers.Said != SaidMore || !slices.Contains(Urgency(k.forms[0].Answers), Danger(cry)[0]) {
			t.Fatalf("%q: %d referrals", body, len(k.forms))
		}
	})
}
