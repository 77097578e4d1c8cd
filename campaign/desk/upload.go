package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/patientlist"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// Uploads keeps files, sealed, until they are lists.
type Uploads interface {
	StageUpload(ctx context.Context, who staff.Account, u campaign.Upload, src io.Reader) (campaign.Upload, error)
	Upload(ctx context.Context, n staff.NetworkID, id campaign.UploadID) (campaign.Upload, error)
	Uploads(ctx context.Context, n staff.NetworkID, limit int) ([]campaign.Upload, error)
	UploadFile(ctx context.Context, u campaign.Upload) campaign.UploadFile
	// StartUpload gives the one who may screen it; BeatUpload tells that they still do, and answers campaign.ErrConflict if they may no longer.
	StartUpload(ctx context.Context, who staff.Account, u campaign.Upload) (campaign.Upload, error)
	BeatUpload(ctx context.Context, u campaign.Upload, rows int, bytes int64) error
	BeginUpload(ctx context.Context, who staff.Account, u campaign.Upload) (campaign.Importer, error)
	EndUpload(ctx context.Context, u campaign.Upload, problem string) error
	DiscardUpload(ctx context.Context, who staff.Account, id campaign.UploadID) error
	DropUploadFile(ctx context.Context, id campaign.UploadID) error
	Shelf() (campaign.Shelf, error)
}

const (
	beatEvery     = 2 * time.Second
	previewRows   = 5
	maxColumns    = 200 // that a person is asked about
	exampleLength = 40  // of one cell on the page
)

// fieldWords are what people call the fields, in the order in which they are offered.
var fieldWords = []struct {
	Field patientlist.Field
	Label string
}{
	{patientlist.FieldNHSNumber, "NHS number"}, {patientlist.FieldGivenName, "First name"}, {patientlist.FieldFamilyName, "Last name"}, {patientlist.FieldFullName, "Full name"},
	{patientlist.FieldBirthDate, "Date of birth"}, {patientlist.FieldMobile, "Mobile number"}, {patientlist.FieldPractice, "Practice code"}, {patientlist.FieldSex, "Sex"},
	{patientlist.FieldPostcode, "Postcode"}, {patientlist.FieldLanguage, "Language"}, {patientlist.FieldNeeds, "Codes of needs or conditions"},
	{patientlist.FieldDeath, "Date of death, or has died"}, {patientlist.FieldStatus, "Status, such as deceased or deducted"}, {patientlist.FieldDissent, "Does not want texts"},
	{patientlist.FieldConsent, "Agrees to texts"}, {patientlist.FieldDoNotContact, "Do not contact, or sensitive"},
	{patientlist.FieldLeft, "Date left, or has left the practice"}, {patientlist.FieldRegistered, "Still registered, yes or no"},
}

func fieldLabel(f patientlist.Field) string {
	for _, w := range fieldWords {
		if w.Field == f {
			return w.Label
		}
	}
	return string(f)
}

// uploadData is the page of a file that has arrived: which column is which, or how far its screening is.
type uploadData struct {
	ID       campaign.UploadID
	File     string
	Working  bool
	Done     string
	Percent  int
	Problem  string
	Found    string
	Missing  []string
	Advice   []string
	Columns  []ui.Field
	Rows     ui.Table
	Name     ui.Field
	Taken    ui.Field
	Practice ui.Field
	CanStart bool
}

func (h *Handler) uploadOf(r *http.Request) (who staff.Account, u campaign.Upload, err error) {
	who = staff.From(r.Context())
	id, err := pathID(r, "id")
	if err == nil {
		u, err = h.cfg.Store.Upload(r.Context(), who.Network, campaign.UploadID(id))
	}
	return who, u, err
}

// uploadShow is the page of one upload.
func (h *Handler) uploadShow(w http.ResponseWriter, r *http.Request) {
	_, u, err := h.uploadOf(r)
	switch {
	case err != nil:
		h.pageError(w, r, err)
	case u.State == campaign.UploadDone:
		seeOther(w, r, "/desk/lists/%d", u.Audience)
	default:
		h.showUpload(w, r, http.StatusOK, u, nil, nil)
	}
}

// look reads the beginning of an upload.
func (h *Handler) look(ctx context.Context, u campaign.Upload) (patientlist.Preview, error) {
	p, err := patientlist.Look(h.cfg.Store.UploadFile(ctx, u), patientlist.Options{Today: h.civil(h.cfg.Now()), MaxBytes: h.cfg.MaxUpload, Size: u.Size, Shelf: h.shelf}, previewRows)
	if err == nil && len(p.Header) > maxColumns {
		err = &patientlist.FileError{Code: patientlist.NoHeader, Sentence: fmt.Sprintf("This file has more than %d columns. Export the list with those that are needed only.", maxColumns)}
	}
	return p, err
}

// showUpload draws the page; fields are the columns as they were chosen, nil for as they were recognised.
func (h *Handler) showUpload(w http.ResponseWriter, r *http.Request, status int, u campaign.Upload, fields []patientlist.Field, wrong error) {
	ctx := r.Context()
	who := staff.From(ctx)
	data := &uploadData{ID: u.ID, File: u.File, Working: u.State == campaign.UploadScreening}
	page, err := h.page(ctx, r, who, "Check the columns", data)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	page.Breadcrumbs = []ui.NavItem{{Text: "Patient lists", Href: "/desk/lists"}}
	errors.As(wrong, (*invalid)(&page.Errors))
	if data.Working {
		page.Title, page.Refresh = "Checking the list", 5
		data.Percent = int(min(99, 100*u.Bytes/max(1, u.Size)))
		data.Done = fmt.Sprintf("%s checked so far, about %d%% of the file.", count(u.Rows, "row", "rows"), data.Percent)
		if u.Rows == 0 {
			data.Done = "The check is about to begin."
		}
		h.show(w, r, status, "upload", page, nil)
		return
	}
	switch u.State {
	case campaign.UploadFailed:
		data.Problem = u.Problem
	case campaign.UploadInterrupted:
		data.Problem = "The check of this list was interrupted before it was done, and nothing of it can be used. Start it again, or throw the file away."
	}
	p, err := h.look(ctx, u)
	var file *patientlist.FileError
	switch {
	case errors.As(err, &file):
		data.Problem = file.Sentence
	case err != nil:
		h.pageError(w, r, err)
		return
	default:
		data.CanStart = true
		data.Taken = h.takenField(r, u, p)
		if err = h.cfg.Store.LookAtUpload(ctx, who, u.ID, len(p.Rows)); err == nil {
			err = h.fillUpload(ctx, who, data, u, p, fields)
		}
	}
	h.show(w, r, status, "upload", page, err)
}

// Advice is what a person should know of a file that can be read: what of it is not, and what had to be guessed.
func Advice(f patientlist.Found) (advice []string) {
	if len(f.OtherSheets) > 0 {
		advice = append(advice, "These sheets look like patient lists too, and are not read: "+strings.Join(f.OtherSheets, ", ")+". Upload each of them as a file of its own.")
	}
	if f.MonthFirst {
		advice = append(advice, "Dates of birth are written with the month first, as in 12/25/1980, and we read them so. Check a few of them.")
	}
	if f.ShortYears {
		advice = append(advice, "Years of birth have two digits only. We read 45 as 1945, because 2045 is yet to come; rows with a year that may be of either century, such as 20 for 1920 or 2020, cannot be used. Export the dates with all four digits of the year to have everybody.")
	}
	return advice
}

func (h *Handler) fillUpload(ctx context.Context, who staff.Account, data *uploadData, u campaign.Upload, p patientlist.Preview, fields []patientlist.Field) error {
	n, err := h.cfg.Store.Network(ctx, who.Network)
	if err != nil {
		return fmt.Errorf("read the network: %w", err)
	}
	if len(fields) != len(p.Header) {
		fields = p.Fields
		for i, f := range u.Choice.Fields { // as it was confirmed before
			if len(u.Choice.Fields) == len(fields) {
				fields[i] = patientlist.Field(f)
			}
		}
	}
	data.Found = fmt.Sprintf("The column names are on line %d.", p.HeaderLine)
	if p.Sheet != "" {
		data.Found = fmt.Sprintf("We read the sheet “%s”. The column names are in row %d.", p.Sheet, p.HeaderLine)
	}
	for _, f := range patientlist.Needed {
		if !slices.Contains(fields, f) {
			data.Missing = append(data.Missing, fieldLabel(f))
		}
	}
	data.Advice = Advice(p.Found)
	if !slices.Contains(fields, patientlist.FieldPractice) {
		data.Advice = append(data.Advice, "No column says which practice people are registered with. Choose the practice below.")
	}
	if !slices.ContainsFunc(fields, func(f patientlist.Field) bool { return f == patientlist.FieldDeath || f == patientlist.FieldStatus }) {
		data.Advice = append(data.Advice, "No column says who has died. Make sure that the search left them out.")
	}
	if !slices.ContainsFunc(fields, func(f patientlist.Field) bool {
		return f == patientlist.FieldDissent || f == patientlist.FieldConsent || f == patientlist.FieldDoNotContact
	}) {
		data.Advice = append(data.Advice, "No column says who does not want texts. Make sure that the search left them out.")
	}
	var shown []int
	for i, name := range p.Header {
		var examples []string
		for _, row := range p.Rows {
			if c := maskCell(row[i]); c != "" && len(examples) < 3 && !slices.Contains(examples, c) {
				examples = append(examples, c)
			}
		}
		hint := "Empty in the first rows."
		if len(examples) > 0 {
			hint = "In the first rows: " + strings.Join(examples, "; ")
		}
		if name = cut(strings.Join(strings.Fields(name), " "), 60); name == "" {
			name = "without a name"
		}
		data.Columns = append(data.Columns, ui.Field{Kind: ui.Select, Name: columnName(i), Label: fmt.Sprintf("Column %d: %s", i+1, name), Hint: hint, Value: string(fields[i]), Options: fieldOptions})
		if fields[i] != "" {
			shown = append(shown, i)
		}
	}
	data.Rows = ui.Table{Caption: "The first rows", Stacked: true, Compact: true, CaptionSize: "s"}
	for _, i := range shown {
		data.Rows.Head = append(data.Rows.Head, ui.Cell{Text: fieldLabel(fields[i])})
	}
	for _, row := range p.Rows {
		var cells []ui.Cell
		for _, i := range shown {
			cells = append(cells, ui.Cell{Text: maskCell(row[i])})
		}
		if len(cells) > 0 {
			data.Rows.Rows = append(data.Rows.Rows, cells)
		}
	}
	data.Name = ui.Field{Name: "name", Label: "Name of the list", Hint: "So that you can tell it from others.", Value: u.Name}
	data.Practice = h.practiceField(n, u.Practice)
	return nil
}

var fieldOptions = func() []ui.Option {
	all := []ui.Option{{Label: "Not used"}}
	for _, w := range fieldWords {
		all = append(all, ui.Option{Value: string(w.Field), Label: w.Label})
	}
	return all
}()

func columnName(i int) string { return "column-" + strconv.Itoa(i+1) }

func (h *Handler) practiceField(n staff.Network, value string) ui.Field {
	f := ui.Field{Kind: ui.Select, Name: "practice", Label: "Practice, if the file does not say (optional)", Value: value,
		Hint: "Only needed if the file has no column with practice codes.", Options: []ui.Option{{Label: "The file says"}}}
	for _, p := range n.Practices {
		f.Options = append(f.Options, ui.Option{Value: p.ODS, Label: fmt.Sprintf("%s (%s)", p.Name, p.ODS)})
	}
	return f
}

// maskCell shows a cell so that one can tell what it is: of long numbers only the ends.
func maskCell(s string) string {
	s = cut(strings.Join(strings.Fields(s), " "), exampleLength)
	digits := 0
	for _, c := range s {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	if digits < 9 {
		return s
	}
	i := 0
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return c
		}
		if i++; i > 2 && i <= digits-2 {
			return '•'
		}
		return c
	}, s)
}

// uploadStart takes what a person says the columns are, and begins the screening. It goes on when they close the page.
func (h *Handler) uploadStart(w http.ResponseWriter, r *http.Request) {
	who, u, err := h.uploadOf(r)
	if err == nil {
		err = readForm(w, r)
	}
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	if u.State == campaign.UploadDone || u.State == campaign.UploadScreening { // a second press
		seeOther(w, r, "/desk/uploads/%d", u.ID)
		return
	}
	p, err := h.look(r.Context(), u)
	if err != nil {
		h.showUpload(w, r, http.StatusUnprocessableEntity, u, nil, nil)
		return
	}
	u.Name, u.Practice = cut(strings.TrimSpace(r.PostForm.Get("name")), 100), r.PostForm.Get("practice")
	if u.Name == "" {
		u.Name = listName(u.File)
	}
	on, wrong := h.takenAnswer(r, p)
	fields, badFields := chosenFields(r, p)
	wrong = append(wrong, badFields...)
	if err := h.ownPractice(r.Context(), who, u.Practice); err != nil {
		var form invalid
		if !errors.As(err, &form) {
			h.pageError(w, r, err)
			return
		}
		wrong = append(wrong, form...)
	}
	if len(wrong) > 0 {
		h.showUpload(w, r, http.StatusUnprocessableEntity, u, fields, wrong)
		return
	}
	u.Choice = campaign.UploadChoice{HeaderLine: p.HeaderLine, Sheet: p.Sheet, TakenOn: on, FileOn: p.TakenOn}
	for _, f := range fields {
		u.Choice.Fields = append(u.Choice.Fields, string(f))
	}
	if u, err = h.cfg.Store.StartUpload(r.Context(), who, u); err != nil {
		h.pageError(w, r, err)
		return
	}
	h.launches.Go(func() {
		var file *patientlist.FileError
		if _, err := h.screen(h.background, who, u, nil); err != nil && !errors.As(err, &file) && h.background.Err() == nil {
			h.cfg.Log.Error("the screening of an upload ended", "comp", "campaign_desk", "upload", int64(u.ID), "error", err)
		}
	})
	seeOther(w, r, "/desk/uploads/%d", u.ID)
}

// chosenFields reads which column is which, and what cannot be.
func chosenFields(r *http.Request, p patientlist.Preview) (fields []patientlist.Field, wrong invalid) {
	used := map[patientlist.Field]int{}
	for i := range p.Header {
		f := patientlist.Field(r.PostForm.Get(columnName(i)))
		if f != "" && !slices.Contains(fieldsOfAPI, f) {
			f = ""
		}
		if before, twice := used[f]; twice && f != "" && !f.IsSign() {
			wrong = append(wrong, ui.FieldError{Field: columnName(i), Sentence: fmt.Sprintf("Column %d already is “%s”. Choose one of the two.", before+1, fieldLabel(f))})
		} else {
			used[f] = i
		}
		fields = append(fields, f)
	}
	for _, f := range patientlist.Needed {
		if _, there := used[f]; !there {
			wrong = append(wrong, ui.FieldError{Field: columnName(0), Sentence: fmt.Sprintf("Say which column is “%s”. A list cannot be used without it.", fieldLabel(f))})
		}
	}
	return fields, wrong
}

// ownPractice refuses a practice of another network; "" is none.
func (h *Handler) ownPractice(ctx context.Context, who staff.Account, ods string) error {
	if ods == "" {
		return nil
	}
	n, err := h.cfg.Store.Network(ctx, who.Network)
	if err != nil {
		return fmt.Errorf("read the network: %w", err)
	}
	if _, known := practiceName(n, ods); !known {
		return invalid{{Field: "practice", Sentence: "Choose a practice of your network."}}
	}
	return nil
}

// uploadDiscard throws a file away.
func (h *Handler) uploadDiscard(w http.ResponseWriter, r *http.Request) {
	who, u, err := h.uploadOf(r)
	if err == nil {
		err = h.cfg.Store.DiscardUpload(r.Context(), who, u.ID)
	}
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	seeOther(w, r, "/desk/lists")
}

// screen makes a list of an upload that StartUpload gave. It tells every few seconds that it lives, and ends when somebody else took over.
// Its error is a *patientlist.FileError if the file cannot be used.
func (h *Handler) screen(ctx context.Context, who staff.Account, u campaign.Upload, mapping map[patientlist.Field]string) (a campaign.Audience, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var rows, bytes atomic.Int64
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := h.cfg.Store.BeatUpload(ctx, u, int(rows.Load()), bytes.Load()); errors.Is(err, campaign.ErrConflict) {
				cancel()
			}
		}
	}()
	defer func() {
		cancel()
		<-beats
		late, stop := context.WithTimeout(context.WithoutCancel(ctx), abandonWithin)
		defer stop()
		var file *patientlist.FileError
		switch {
		case err == nil:
			if dropErr := h.cfg.Store.DropUploadFile(late, u.ID); dropErr != nil { // the purge does it later
				h.cfg.Log.Error("an upload that is a list was not thrown away", "comp", "campaign_desk", "upload", int64(u.ID), "error", dropErr)
			}
		case errors.As(err, &file):
			err = errors.Join(err, h.cfg.Store.EndUpload(late, u, file.Sentence))
		default:
			err = errors.Join(err, h.cfg.Store.EndUpload(late, u, ""))
		}
	}()
	// One at a time: what a list needs in memory is needed once.
	select {
	case h.screening <- struct{}{}:
		defer func() { <-h.screening }()
	case <-ctx.Done():
		return a, ctx.Err()
	}
	opt := patientlist.Options{Mapping: mapping, Today: h.civil(h.cfg.Now()), DefaultPractice: u.Practice, MaxBytes: h.cfg.MaxUpload, Size: u.Size, Shelf: h.shelf,
		HeaderLine: u.Choice.HeaderLine, Sheet: u.Choice.Sheet}
	for _, f := range u.Choice.Fields {
		opt.Fields = append(opt.Fields, patientlist.Field(f))
	}
	return Import(ctx, ImportConfig{
		Begin:    func(ctx context.Context) (campaign.Importer, error) { return h.cfg.Store.BeginUpload(ctx, who, u) },
		Reader:   h.cfg.Store.UploadFile(ctx, u),
		Options:  opt,
		Taken:    func() (said, file time.Time, err error) { return u.Choice.TakenOn, u.Choice.FileOn, nil },
		Progress: func(n int, b int64) { rows.Store(int64(n)); bytes.Store(b) },
	})
}

func (h *Handler) shelf() (patientlist.Shelf, error) { return h.cfg.Store.Shelf() }

// listName is what a list is called if nobody names it: like its file.
func listName(file string) string {
	base := filepath.Base(strings.ReplaceAll(file, `\`, "/"))
	return cut(strings.TrimSuffix(base, filepath.Ext(base)), 100)
}
