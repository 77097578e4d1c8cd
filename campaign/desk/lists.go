package desk

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/patientlist"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

// listsShown is how many lists or campaigns an overview holds.
const listsShown = 100

// fieldsOfAPI are all that a mapping may name.
var fieldsOfAPI = []patientlist.Field{patientlist.FieldNHSNumber, patientlist.FieldGivenName, patientlist.FieldFamilyName, patientlist.FieldFullName,
	patientlist.FieldBirthDate, patientlist.FieldSex, patientlist.FieldMobile, patientlist.FieldPractice, patientlist.FieldPostcode, patientlist.FieldLanguage,
	patientlist.FieldNeeds, patientlist.FieldDeath, patientlist.FieldStatus, patientlist.FieldDissent, patientlist.FieldConsent, patientlist.FieldDoNotContact, patientlist.FieldLeft, patientlist.FieldRegistered}

// listsData is what the lists page shows.
type listsData struct {
	Lists     ui.Table
	Uploads   ui.Table
	Importing bool
	CanUpload bool
	CanEdit   bool
	FileError string
}

func (h *Handler) listsPage(w http.ResponseWriter, r *http.Request) {
	h.showLists(w, r, http.StatusOK, nil)
}

// showLists draws the page, with what was wrong with a file.
func (h *Handler) showLists(w http.ResponseWriter, r *http.Request, status int, wrong error) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.ViewLists, "lists")
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	all, err := h.cfg.Store.Audiences(ctx, who.Network, listsShown)
	if err != nil {
		h.pageError(w, r, fmt.Errorf("read the lists: %w", err))
		return
	}
	data := &listsData{CanUpload: can(who, staff.UploadList), CanEdit: can(who, staff.EditCampaign)}
	beingRead := map[campaign.AudienceID]bool{}
	if data.CanUpload {
		if err := h.fillUploads(ctx, who, data, beingRead); err != nil {
			h.pageError(w, r, err)
			return
		}
	}
	data.Lists = ui.Table{Head: []ui.Cell{{Text: "List"}, {Text: "Uploaded"}, {Text: "Taken on"}, {Text: "Rows", Numeric: true}, {Text: "Can be texted", Numeric: true}}, RowHeaders: true, Stacked: true,
		Empty: "There are no lists yet."}
	for _, a := range all {
		if beingRead[a.ID] {
			continue
		}
		row := []ui.Cell{{Text: a.Name, Href: fmt.Sprintf("/desk/lists/%d", a.ID)}, {Text: h.day(a.CreatedAt)}, {Text: h.day(a.TakenOn)}}
		switch a.State {
		case campaign.Importing:
			data.Importing, row[2].Text = true, "–"
			row = append(row, ui.Cell{Text: "Importing", Tag: "yellow"}, ui.Cell{Text: "–", Numeric: true})
		case campaign.Interrupted:
			row[2].Text = "–"
			row = append(row, ui.Cell{Text: "Interrupted: make it again", Tag: "red"}, ui.Cell{Text: "–", Numeric: true})
		default:
			row = append(row, ui.Cell{Text: number(a.Ledger.Rows), Numeric: true}, ui.Cell{Text: number(a.Ledger.Invited), Numeric: true})
		}
		data.Lists.Rows = append(data.Lists.Rows, row)
	}
	p, err := h.page(ctx, r, who, "Patient lists", data)
	if data.Importing {
		p.Refresh = 5
	}
	if wrong != nil {
		var form invalid
		if !errors.As(wrong, &form) {
			_, _, sentence := classify(wrong)
			form = invalid{{Field: "file", Sentence: sentence}}
		}
		p.Errors = form
		for _, e := range form {
			if e.Field == "file" {
				data.FileError = e.Sentence
			}
		}
	}
	h.show(w, r, status, "lists", p, err)
}

// fillUploads lists the files that are not lists yet.
func (h *Handler) fillUploads(ctx context.Context, who staff.Account, data *listsData, beingRead map[campaign.AudienceID]bool) error {
	uploads, err := h.cfg.Store.Uploads(ctx, who.Network, listsShown)
	if err != nil {
		return fmt.Errorf("read the uploads: %w", err)
	}
	data.Uploads = ui.Table{Caption: "Files that are not lists yet", Head: []ui.Cell{{Text: "File"}, {Text: "Uploaded"}, {Text: "How far it is"}}, RowHeaders: true, Stacked: true}
	for _, u := range uploads {
		state := ui.Cell{Text: "Waits for you to check its columns", Tag: "blue"}
		switch u.State {
		case campaign.UploadScreening:
			beingRead[u.Audience], data.Importing = true, true
			state = ui.Cell{Text: fmt.Sprintf("Being checked: %s so far", count(u.Rows, "row", "rows")), Tag: "yellow"}
		case campaign.UploadInterrupted:
			beingRead[u.Audience] = true
			state = ui.Cell{Text: "Interrupted: start it again", Tag: "red"}
		case campaign.UploadFailed:
			state = ui.Cell{Text: "Cannot be used", Tag: "red"}
		}
		data.Uploads.Rows = append(data.Uploads.Rows, []ui.Cell{{Text: u.File, Href: fmt.Sprintf("/desk/uploads/%d", u.ID)}, {Text: h.when(u.CreatedAt)}, state})
	}
	return nil
}

// upload is what comes with a file.
type upload struct {
	name, practice string
	mapping        map[patientlist.Field]string
	takenOn        time.Time // zero if nothing says so
}

// uploadPage keeps a file, and leads on to the page where a person says what its columns are. What is no list at all is told at once.
func (h *Handler) uploadPage(w http.ResponseWriter, r *http.Request) {
	var staged campaign.Upload
	_, err := h.upload(w, r, func(ctx context.Context, who staff.Account, u *upload, m *multipart.Reader, part *multipart.Part) (campaign.Audience, error) {
		var err error
		staged, err = h.stage(ctx, who, u, m, part)
		return campaign.Audience{}, err
	})
	if err != nil {
		if status, _, sentence := classify(err); sentence != "" && status >= 400 && status != http.StatusForbidden && status != http.StatusUnauthorized {
			h.showLists(w, r, status, err)
			return
		}
		h.pageError(w, r, err)
		return
	}
	seeOther(w, r, "/desk/uploads/%d", staged.ID)
}

// stage keeps the file of an upload, sealed. If it is no list, nothing of it stays.
func (h *Handler) stage(ctx context.Context, who staff.Account, u *upload, m *multipart.Reader, part *multipart.Part) (campaign.Upload, error) {
	if err := h.ownPractice(ctx, who, u.practice); err != nil {
		return campaign.Upload{}, err
	}
	tooLarge := &patientlist.FileError{Code: patientlist.FileTooLarge, Sentence: "This file is larger than a patient list may be. Check that you chose the right file."}
	name := cmp.Or(u.name, listName(part.FileName()))
	staged, err := h.cfg.Store.StageUpload(ctx, who, campaign.Upload{File: cut(filepath.Base(strings.ReplaceAll(part.FileName(), `\`, "/")), 100), Name: cut(name, 100), Practice: u.practice},
		&limited{part, h.cfg.MaxUpload, tooLarge})
	if err != nil {
		return staged, torn(ctx, err)
	}
	if err = u.rest(m); err == nil {
		staged.Name = cut(cmp.Or(u.name, staged.Name), 100)
		_, err = h.look(ctx, staged)
	}
	if err != nil {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonWithin)
		defer cancel()
		return staged, errors.Join(err, h.cfg.Store.DiscardUpload(late, who, staged.ID))
	}
	return staged, nil
}

// limited gives up a file that is too large.
type limited struct {
	src  io.Reader
	left int64
	err  error
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.src.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, l.err
	}
	return n, err
}

// torn is the error of an upload that did not arrive whole, if that is what happened.
func torn(ctx context.Context, err error) error {
	var file *patientlist.FileError
	if (errors.Is(err, io.ErrUnexpectedEOF) || ctx.Err() != nil) && !errors.As(err, &file) {
		return errBroken
	}
	return err
}

func (h *Handler) apiUpload(w http.ResponseWriter, r *http.Request) {
	a, err := h.upload(w, r, func(ctx context.Context, who staff.Account, u *upload, m *multipart.Reader, part *multipart.Part) (campaign.Audience, error) {
		return h.takeFile(ctx, who, u, m, part, r.ContentLength)
	})
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/api/v1/lists/%d", a.ID))
	writeJSON(w, http.StatusCreated, listJSON(a))
}

// drainAtMost is how much of a refused file is still read before the answer, so that browsers show it rather than a broken connection.
const drainAtMost = 64 << 20

// upload takes a multipart form with a file in it. The file is a stream: no byte of it is written anywhere but sealed into the store.
// What says how to read the file must come before it; the name may come after it.
func (h *Handler) upload(w http.ResponseWriter, r *http.Request, take func(context.Context, staff.Account, *upload, *multipart.Reader, *multipart.Part) (campaign.Audience, error)) (_ campaign.Audience, err error) {
	var u upload
	ctx := r.Context()
	who, err := h.may(ctx, staff.UploadList, "lists")
	if err != nil {
		return campaign.Audience{}, err
	}
	c := http.NewResponseController(w)
	// A large file on a slow line takes longer than any page may; an error means that the server has no deadlines.
	_, _ = c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{})
	defer func() {
		if err != nil {
			_, _ = io.CopyN(io.Discard, r.Body, drainAtMost)
		}
	}()
	m, err := r.MultipartReader()
	if err != nil {
		return campaign.Audience{}, invalid{{Field: "file", Sentence: "Choose the file with the patient list, and send it as multipart/form-data."}}
	}
	for {
		part, err := m.NextPart()
		if errors.Is(err, io.EOF) {
			return campaign.Audience{}, invalid{{Field: "file", Sentence: "Choose the file with the patient list."}}
		}
		if err != nil {
			return campaign.Audience{}, errBroken
		}
		if part.FormName() != "file" {
			if err := u.take(part); err != nil {
				return campaign.Audience{}, err
			}
			continue
		}
		if part.FileName() == "" {
			return campaign.Audience{}, invalid{{Field: "file", Sentence: "Choose the file with the patient list."}}
		}
		return take(ctx, who, &u, m, part)
	}
}

// errBroken is what a torn upload is answered with, if anybody is there to read it.
var errBroken = invalid{{Field: "file", Sentence: "The file did not arrive whole. Send it again."}}

// take reads one part that is not the file.
func (u *upload) take(part *multipart.Part) error {
	const longest = 16 << 10
	b, err := io.ReadAll(io.LimitReader(part, longest+1))
	if err != nil {
		return errBroken
	}
	if len(b) > longest {
		return invalid{{Field: part.FormName(), Sentence: fmt.Sprintf("%q is too long.", part.FormName())}}
	}
	name, value := part.FormName(), strings.TrimSpace(string(b))
	set := func(f patientlist.Field, column string) {
		if u.mapping == nil {
			u.mapping = map[patientlist.Field]string{}
		}
		u.mapping[f] = column
	}
	switch {
	case name == "name":
		u.name = value
	case name == "practice":
		u.practice = strings.ToUpper(value)
	case name == "taken_on" && value != "":
		if u.takenOn, err = givenDay(value); err != nil {
			return err
		}
	case name == "mapping" && value != "":
		var given map[string]string
		if err := json.Unmarshal(b, &given); err != nil {
			return invalid{{Field: "mapping", Sentence: `The mapping must be a JSON object, such as {"mobile": "Contact number"}.`}}
		}
		for field, column := range given {
			if !slices.Contains(fieldsOfAPI, patientlist.Field(field)) {
				return invalid{{Field: "mapping", Sentence: fmt.Sprintf("There is no field %q. The fields are: %s.", field, joinFields())}}
			}
			set(patientlist.Field(field), column)
		}
	case strings.HasPrefix(name, "column-") && value != "":
		if f := patientlist.Field(strings.TrimPrefix(name, "column-")); slices.Contains(fieldsOfAPI, f) {
			set(f, value)
		}
	}
	return nil
}

func joinFields() string {
	var all []string
	for _, f := range fieldsOfAPI {
		all = append(all, string(f))
	}
	return strings.Join(all, ", ")
}

// rest reads what follows the file: its name at most.
func (u *upload) rest(m *multipart.Reader) error {
	for {
		after, err := m.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errBroken
		}
		if n := after.FormName(); n == "mapping" || n == "practice" || strings.HasPrefix(n, "column-") || n == "file" {
			return invalid{{Field: n, Sentence: fmt.Sprintf("Send one file, and %q before it.", n)}}
		}
		if err := u.take(after); err != nil {
			return err
		}
	}
}

// takeFile makes a list of a file in one go. Text is screened as it comes in; a workbook cannot be read before its end, and is kept until then.
func (h *Handler) takeFile(ctx context.Context, who staff.Account, u *upload, m *multipart.Reader, part *multipart.Part, size int64) (campaign.Audience, error) {
	if err := h.ownPractice(ctx, who, u.practice); err != nil {
		return campaign.Audience{}, err
	}
	if err := h.checkGiven(u.takenOn); err != nil {
		return campaign.Audience{}, err
	}
	file := bufio.NewReader(part)
	if head, err := file.Peek(4); err == nil && string(head) == "PK\x03\x04" {
		return h.takeWorkbook(ctx, who, u, m, part.FileName(), file)
	}
	title := func() string { return cut(cmp.Or(u.name, listName(part.FileName())), 100) }
	opt := patientlist.Options{Mapping: u.mapping, Today: h.civil(h.cfg.Now()), DefaultPractice: u.practice, MaxBytes: h.cfg.MaxUpload}
	if size > h.cfg.MaxUpload+maxForm { // refused before it is read; a little less may be the form around the file
		opt.Size = size
	}
	a, err := Import(ctx, ImportConfig{
		Begin: func(ctx context.Context) (campaign.Importer, error) {
			return h.cfg.Store.BeginImport(ctx, who, title(), false, false)
		},
		Reader: file, Options: opt,
		Name: func() (string, error) {
			err := u.rest(m)
			return title(), err
		},
		Taken: func() (said, file time.Time, err error) { return u.takenOn, file, h.checkGiven(u.takenOn) }, // it may come after the file
	})
	if err != nil {
		err = torn(ctx, err)
	}
	return a, err
}

func (h *Handler) takeWorkbook(ctx context.Context, who staff.Account, u *upload, m *multipart.Reader, file string, src io.Reader) (a campaign.Audience, err error) {
	tooLarge := &patientlist.FileError{Code: patientlist.FileTooLarge, Sentence: "This file is larger than a patient list may be. Check that you chose the right file."}
	staged, err := h.cfg.Store.StageUpload(ctx, who, campaign.Upload{File: cut(listName(file), 100), Practice: u.practice}, &limited{src, h.cfg.MaxUpload, tooLarge})
	if err != nil {
		return a, torn(ctx, err)
	}
	defer func() {
		if err == nil {
			return
		}
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonWithin)
		defer cancel()
		err = errors.Join(err, h.cfg.Store.DiscardUpload(late, who, staged.ID))
	}()
	if err = u.rest(m); err == nil {
		err = h.checkGiven(u.takenOn)
	}
	if err != nil {
		return a, err
	}
	staged.Choice.TakenOn = u.takenOn
	staged.Name = cut(cmp.Or(u.name, listName(file)), 100)
	if staged, err = h.cfg.Store.StartUpload(ctx, who, staged); err != nil {
		return a, err
	}
	return h.screen(ctx, who, staged, u.mapping)
}

// cut shortens to at most n characters.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// listAnswer is a list as the API tells it.
type listAnswer struct {
	ID         campaign.AudienceID    `json:"id"`
	Name       string                 `json:"name"`
	State      campaign.AudienceState `json:"state"`
	CreatedAt  time.Time              `json:"created_at"`
	ScreenedAt *time.Time             `json:"screened_at"`
	TakenOn    *string                `json:"taken_on"`
	FileOn     *string                `json:"file_taken_on,omitempty"`
	TooOldAt   *time.Time             `json:"too_old_at"`
	Done       int                    `json:"done"`
	Parent     campaign.AudienceID    `json:"parent,omitempty"`
	Synthetic  bool                   `json:"synthetic"`
	campaign.Ledger
}

func listJSON(a campaign.Audience) listAnswer {
	l := listAnswer{ID: a.ID, Name: a.Name, State: a.State, CreatedAt: a.CreatedAt, Done: max(a.Done, a.Ledger.Rows), Parent: a.Parent, Synthetic: a.Synthetic, Ledger: a.Ledger}
	if a.State == campaign.Screened {
		old := a.TakenOn.Add(throttle.UsualListAge)
		l.ScreenedAt, l.TooOldAt, l.TakenOn, l.FileOn = &a.ScreenedAt, &old, onDay(a.TakenOn), onDay(a.FileOn)
	}
	if l.Excluded == nil { // one that is only beginning
		l.Ledger = campaign.NewLedger()
	}
	return l
}
