package desk

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

const tasksPath = "/desk/tasks"

// aftercareScreen is what a referral's page shows of what is to be done, and the ways on: the data of the template "aftercare".
type aftercareScreen struct {
	Action  string // that the forms about tasks post to
	From    string // where they lead back to: "", "support" or "tasks"
	Tasks   []taskRow
	Done    []taskRow
	Add     []ui.Field
	AddOpen bool

	// On the referral's own page alone.
	Support     string // the address of its support
	SupportText string
	Note        *ui.Field
	NoteAction  string
	NoteOpen    bool
}

// taskRow is a task in a list.
type taskRow struct {
	ID        selfrefer.EntryID
	Action    string
	From      string
	Words     string
	Due       string
	Tag       *ui.Tag // overdue, today
	FollowUp  bool
	For       string
	Done      string // by whom and when
	Tick      string // the words of the button
	Set       string // what it sends: "1" is done
	Referral  string // its page
	Reference string
	Name      string
	Urgent    bool
}

func (h *Handler) taskRow(t selfrefer.Task, name func(staff.AccountID) string) taskRow {
	row := taskRow{ID: t.ID, Action: fmt.Sprintf("/desk/referrals/%d/tasks", t.Referral), Words: t.Words.Reveal(), Due: h.dueWords(t.Due), FollowUp: t.Kind == selfrefer.FollowUp, Tick: "Done", Set: "1",
		Referral: fmt.Sprintf("/desk/referrals/%d", t.Referral), Reference: t.Reference, Name: cmp.Or(t.Name.Reveal(), "Name not known"), Urgent: t.Urgent}
	if t.For != 0 {
		row.For = name(t.For)
	}
	if !t.Open() {
		row.Done, row.Tick, row.Set = "Done by "+name(t.DoneBy)+" at "+h.when(t.DoneAt), "Not done after all", "0"
		return row
	}
	switch t.PressingOn(h.today()) {
	case selfrefer.Overdue:
		row.Tag = &ui.Tag{Text: "Overdue", Colour: "red"}
	case selfrefer.Today:
		row.Tag = &ui.Tag{Text: "Today", Colour: "orange"}
	}
	return row
}

// dueWords writes the day of a task: "Thursday 4 June".
func (h *Handler) dueWords(d selfrefer.Day) string {
	at := d.Date()
	if at.Year() != h.today().Date().Year() {
		return at.Format("Monday 2 January 2006")
	}
	return at.Format("Monday 2 January")
}

// daysAhead is how many days a task's day can be chosen from; any other is entered.
const daysAhead = 14

// aftercare reads what is to be done about a referral, for its own page.
func (h *Handler) aftercare(r *http.Request, ref selfrefer.Referral, who staff.Account, name func(staff.AccountID) string, errs []ui.FieldError) (*aftercareScreen, error) {
	tasks, err := h.Store.ReferralTasks(r.Context(), who, ref.ID)
	if err != nil {
		return nil, fmt.Errorf("read the tasks: %w", err)
	}
	return h.aftercareOf(r, ref, tasks, who, name, errs)
}

func (h *Handler) aftercareOf(r *http.Request, ref selfrefer.Referral, tasks []selfrefer.Task, who staff.Account, name func(staff.AccountID) string, errs []ui.FieldError) (*aftercareScreen, error) {
	s := &aftercareScreen{Action: fmt.Sprintf("/desk/referrals/%d/tasks", ref.ID)}
	for _, t := range tasks {
		if t.Open() {
			s.Tasks = append(s.Tasks, h.taskRow(t, name))
		} else {
			s.Done = append(s.Done, h.taskRow(t, name))
		}
	}
	slices.Reverse(s.Done)
	switch ref.State {
	case selfrefer.InSupport:
		s.Support, s.SupportText = supportURL(ref.ID), "Support: goals, onward referrals, measures and discharge"
	case selfrefer.Onward, selfrefer.Closed:
		s.Support, s.SupportText = supportURL(ref.ID), "Support: what was done, and onward referrals"
	}
	can := allowed(ref, who)
	if slices.Contains(can, selfrefer.Note) {
		s.NoteAction = fmt.Sprintf("/desk/referrals/%d", ref.ID)
		s.NoteOpen = len(errs) > 0 && r.PostFormValue("event") == string(selfrefer.Note)
		s.Note = &ui.Field{Kind: ui.Textarea, Name: "note", ID: "note-alone", Label: "Note", Size: "s", Rows: 3, Hint: "Only what the next person needs to know"}
		if s.NoteOpen {
			s.Note.Value = r.PostFormValue("note")
		}
	}
	if selfrefer.MayRecord(who, ref, selfrefer.AddTask{}) != nil {
		return s, nil //nolint:nilerr // then there is no form
	}
	all, err := h.Store.Accounts(r.Context(), who.Network)
	if err != nil {
		return nil, fmt.Errorf("read who works here: %w", err)
	}
	s.AddOpen = len(errs) > 0 && r.PostFormValue("do") == "task"
	soon := ui.Field{Kind: ui.Select, Name: "task-soon", Label: "By when?", Size: "s", Value: r.PostFormValue("task-soon"), Options: []ui.Option{{Value: "", Label: "Another day, entered below"}}}
	today := h.today().Date()
	for n := range daysAhead {
		d := today.AddDate(0, 0, n)
		label := h.dueWords(selfrefer.Day(d.Format(time.DateOnly)))
		switch n {
		case 0:
			label = "Today"
		case 1:
			label = "Tomorrow, " + label
		}
		soon.Options = append(soon.Options, ui.Option{Value: d.Format(time.DateOnly), Label: label})
	}
	if r.PostFormValue("do") != "task" {
		soon.Value = today.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	holder := "Whoever has the referral"
	if ref.ClaimedBy != 0 {
		holder += ", now " + name(ref.ClaimedBy)
	}
	whom := ui.Field{Kind: ui.Select, Name: "task-for", Label: "Who does it?", Size: "s", Value: r.PostFormValue("task-for"), Options: []ui.Option{{Value: "0", Label: holder}}}
	for _, a := range all {
		if a.ID != ref.ClaimedBy && selfrefer.MayDo(a, ref) == nil {
			whom.Options = append(whom.Options, ui.Option{Value: strconv.FormatInt(int64(a.ID), 10), Label: a.Name + ", " + a.Role.Words()})
		}
	}
	s.Add = []ui.Field{text(r, ui.Textarea, "task-words", "What is to be done?", "For example: ring again, ask the practice"), soon, dateField(r, "task-due", "Another day", ""),
		choice(r, "task-kind", "What is it?", []selfrefer.TaskKind{selfrefer.PlainTask, selfrefer.FollowUp}, map[selfrefer.TaskKind]string{selfrefer.PlainTask: "A task", selfrefer.FollowUp: "A planned contact with the person"}, selfrefer.PlainTask), whom}
	return s, nil
}

// changeTasks adds a task to a referral, or ticks one.
func (h *Handler) changeTasks(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	again := func(status int, errs []ui.FieldError) error {
		if r.PostFormValue("from") == "support" {
			return h.showSupport(w, r, who, id, status, errs)
		}
		return h.showReferral(w, r, who, id, status, errs)
	}
	var c selfrefer.Change
	var bad invalid
	do := r.PostFormValue("do")
	switch do {
	case "task":
		t := selfrefer.Task{Kind: selfrefer.TaskKind(r.PostFormValue("task-kind")), Words: selfrefer.FreeText(strings.TrimSpace(r.PostFormValue("task-words")))}
		due, ok := enteredDay(r, "task-due")
		if soon := r.PostFormValue("task-soon"); ok && due == "" && soon != "" {
			due, err = selfrefer.ParseDay(soon)
			ok = err == nil
		}
		if t.Due = due; !ok {
			bad = append(bad, ui.FieldError{Field: "task-due", Sentence: "Enter a real date, for example 4 6 2026"})
		}
		to, _ := strconv.ParseInt(r.PostFormValue("task-for"), 10, 64)
		t.For = staff.AccountID(max(to, 0))
		c = selfrefer.AddTask{Task: t}
	case "tick":
		task, _ := strconv.ParseInt(r.PostFormValue("task"), 10, 64)
		c = selfrefer.TickTask{ID: selfrefer.EntryID(task), Done: r.PostFormValue("done") == "1"}
	default:
		return invalid{{Sentence: "The form could not be read. Go back and try again."}}
	}
	for _, f := range c.Check(h.today()) {
		if field := "task-" + f.Field; !slices.ContainsFunc(bad, func(b ui.FieldError) bool { return b.Field == field }) {
			bad = append(bad, ui.FieldError{Field: field, Sentence: f.Sentence})
		}
	}
	if bad != nil {
		return again(http.StatusUnprocessableEntity, bad)
	}
	if err := h.Store.RecordSupport(r.Context(), who, id, c); err != nil {
		if told := conflictWords(err); told != "" {
			return again(http.StatusConflict, []ui.FieldError{{Sentence: told}})
		}
		return fmt.Errorf("record a task: %w", err)
	}
	to := map[string]string{"support": supportURL(id), "tasks": tasksPath}[r.PostFormValue("from")]
	done := do
	if do == "tick" && r.PostFormValue("done") != "1" {
		done = "untick"
	}
	to = cmp.Or(to, fmt.Sprintf("/desk/referrals/%d", id)) + "?done=" + done
	if r.PostFormValue("from") == "tasks" && done == "tick" {
		to += fmt.Sprintf("&referral=%d&task=%s", id, r.PostFormValue("task")) // so that it can be undone from there
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// tasksScreen is the data of tasks.html.
type tasksScreen struct {
	Lists []taskList
	More  string // where there are more than the list holds
	Undo  *taskUndo
}

type taskList struct {
	Caption string
	Rows    []taskRow
}

// taskUndo opens again what has just been ticked.
type taskUndo struct{ Action, Task string }

func (h *Handler) tasksPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	all, err := h.Store.Tasks(r.Context(), who)
	if err != nil {
		return fmt.Errorf("read the tasks: %w", err)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	lists := map[selfrefer.Pressing]*taskList{selfrefer.Overdue: {Caption: "Overdue"}, selfrefer.Today: {Caption: "Today"}, selfrefer.Upcoming: {Caption: "Later"}}
	for _, t := range all {
		row := h.taskRow(t, name)
		row.From, row.Tag, row.For = "tasks", nil, "" // the list says when, and whose they are
		l := lists[t.PressingOn(h.today())]
		l.Rows = append(l.Rows, row)
	}
	var s tasksScreen
	if len(all) == selfrefer.MaxTasks {
		s.More = fmt.Sprintf("The first %d of them.", selfrefer.MaxTasks)
	}
	for _, p := range []selfrefer.Pressing{selfrefer.Overdue, selfrefer.Today, selfrefer.Upcoming} {
		if l := lists[p]; len(l.Rows) > 0 {
			l.Caption += fmt.Sprintf(" (%d)", len(l.Rows))
			s.Lists = append(s.Lists, *l)
		}
	}
	notice := ""
	q := r.URL.Query()
	switch referral, err := strconv.ParseInt(q.Get("referral"), 10, 64); {
	case q.Get("done") == "tick" && err == nil:
		notice = "Done: one task less."
		s.Undo = &taskUndo{fmt.Sprintf("/desk/referrals/%d/tasks", referral), q.Get("task")}
	case q.Get("done") == "untick":
		notice = "It is to be done again."
	}
	return h.show(w, r, http.StatusOK, "tasks", ui.Page{Title: "My tasks", Notice: notice, Data: s})
}

// taskJSON is a task as the API tells it.
type taskJSON struct {
	ID        selfrefer.EntryID    `json:"id"`
	Referral  selfrefer.ReferralID `json:"referral"`
	Reference string               `json:"reference,omitempty"`
	Name      string               `json:"name,omitempty"`
	Kind      selfrefer.TaskKind   `json:"kind"`
	Words     string               `json:"words"`
	Due       selfrefer.Day        `json:"due"`
	For       *holderJSON          `json:"for,omitempty"` // nobody: whoever has the referral
	By        holderJSON           `json:"by"`
	At        time.Time            `json:"at"`
	DoneBy    *holderJSON          `json:"done_by,omitempty"`
	DoneAt    *time.Time           `json:"done_at,omitempty"`
}

func toldTask(t selfrefer.Task, name func(staff.AccountID) string) taskJSON {
	j := taskJSON{ID: t.ID, Referral: t.Referral, Reference: t.Reference, Name: t.Name.Reveal(), Kind: t.Kind, Words: t.Words.Reveal(), Due: t.Due, By: holderJSON{t.By, name(t.By)}, At: t.At.UTC()}
	if t.For != 0 {
		j.For = &holderJSON{t.For, name(t.For)}
	}
	if !t.Open() {
		at := t.DoneAt.UTC()
		j.DoneBy, j.DoneAt = &holderJSON{t.DoneBy, name(t.DoneBy)}, &at
	}
	return j
}

func (h *Handler) listTasks(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	page, err := asked(r, selfrefer.MaxTasks)
	if err != nil {
		return err
	}
	after, err := taskPlace(page)
	if err != nil {
		return err
	}
	all, next, err := h.Store.TasksAfter(r.Context(), who, after, page.Limit)
	if err != nil {
		return fmt.Errorf("read the tasks: %w", err)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	out := struct {
		Tasks []taskJSON `json:"tasks"`
		Next  string     `json:"next,omitempty"`
	}{[]taskJSON{}, nextTask(next)}
	for _, t := range all {
		out.Tasks = append(out.Tasks, toldTask(t, name))
	}
	return writeJSON(w, http.StatusOK, out)
}

// With puts it beside its page, which knows what is wrong with its fields: a template takes one thing.
func (s *aftercareScreen) With(p ui.Page) any {
	return struct {
		Page ui.Page
		Of   *aftercareScreen
	}{p, s}
}
