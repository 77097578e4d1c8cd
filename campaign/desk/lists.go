package desk

import (
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
)

// listsShown is how many lists or campaigns an overview holds.
const listsShown = 100

// mappable are the columns that a manager can name when a file calls them something unusual.
var mappable = []struct {
	Field patientlist.Field
	Label string
}{
	{patientlist.FieldMobile, "Mobile number"},
	{patientlist.FieldNHSNumber, "NHS number"},
	{patientlist.FieldBirthDate, "Date of birth"},
	{patientlist.FieldGivenName, "First name"},
	{patientlist.FieldFamilyName, "Last name"},
	{patientlist.FieldPractice, "Practice code"},
	{patientlist.FieldDeath, "Date of death"},
	{patientlist.FieldDissent, "Does not want texts"},
	{patientlist.FieldDoNotContact, "Do not contact"},
}

// fields are all that a mapping may name in the API.
var fields = []patientlist.Field{patientlist.FieldNHSNumber, patientlist.FieldGivenName, patientlist.FieldFamilyName, patientlist.FieldFullName,
	patientlist.FieldBirthDate, patientlist.FieldSex, patientlist.FieldMobile, patientlist.FieldPractice, patientlist.FieldPostcode, patientlist.FieldLanguage,
	patientlist.FieldDeath, patientlist.FieldStatus, patientlist.FieldDissent, patientlist.FieldConsent, patientlist.FieldDoNotContact}

// listsData is what the lists page shows.
type listsData struct {
	Lists        ui.Table
	Importing    bool
	CanUpload    bool
	CanEdit      bool
	Name         ui.Field
	Practice     ui.Field
	Mapping      []ui.Field
	MappingGiven bool
	FileError    string
}

func (h *Handler) listsPage(w http.ResponseWriter, r *http.Request) {
	h.showLists(w, r, http.StatusOK, upload{}, nil)
}

// showLists draws the page, with what was typed and what was wrong with it.
func (h *Handler) showLists(w http.ResponseWriter, r *http.Request, status int, u upload, wrong error) {
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
	n, err := h.cfg.Store.Network(ctx, who.Network)
	if err != nil {
		h.pageError(w, r, fmt.Errorf("read the network: %w", err))
		return
	}
	data := &listsData{CanUpload: can(who, staff.UploadList), CanEdit: can(who, staff.EditCampaign), MappingGiven: len(u.mapping) > 0}
	data.Name = ui.Field{Name: "name", Label: "Name of the list (optional)", Hint: "So that you can tell it from others. If you leave it empty, the list is called like its file.", Value: u.name}
	data.Practice = ui.Field{Kind: ui.Select, Name: "practice", Label: "Practice, if the file does not say (optional)", Value: u.practice,
		Hint: "Only needed if the file has no column with practice codes.", Options: []ui.Option{{Label: "The file says"}}}
	for _, p := range n.Practices {
		data.Practice.Options = append(data.Practice.Options, ui.Option{Value: p.ODS, Label: fmt.Sprintf("%s (%s)", p.Name, p.ODS)})
	}
	for _, m := range mappable {
		data.Mapping = append(data.Mapping, ui.Field{Name: "column-" + string(m.Field), Label: m.Label, Value: u.mapping[m.Field], Width: 30, NoSpellcheck: true})
	}
	data.Lists = ui.Table{Head: []ui.Cell{{Text: "List"}, {Text: "Uploaded"}, {Text: "Rows", Numeric: true}, {Text: "Can be texted", Numeric: true}}, RowHeaders: true, Stacked: true,
		Empty: "There are no lists yet."}
	for _, a := range all {
		row := []ui.Cell{{Text: a.Name, Href: fmt.Sprintf("/desk/lists/%d", a.ID)}, {Text: h.day(a.CreatedAt)}}
		if a.State == campaign.Importing {
			data.Importing = true
			row = append(row, ui.Cell{Text: "Importing", Tag: "yellow"}, ui.Cell{Text: "–", Numeric: true})
		} else {
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

// upload is what comes with a file.
type upload struct {
	name, practice string
	mapping        map[patientlist.Field]string
}

func (h *Handler) uploadPage(w http.ResponseWriter, r *http.Request) {
	a, u, err := h.upload(w, r)
	if err != nil {
		if status, _, sentence := classify(err); sentence != "" && status >= 400 && status != http.StatusForbidden && status != http.StatusUnauthorized {
			h.showLists(w, r, status, u, err)
			return
		}
		h.pageError(w, r, err)
		return
	}
	seeOther(w, r, "/desk/lists/%d", a.ID)
}

func (h *Handler) apiUpload(w http.ResponseWriter, r *http.Request) {
	a, _, err := h.upload(w, r)
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
func (h *Handler) upload(w http.ResponseWriter, r *http.Request) (_ campaign.Audience, u upload, err error) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.UploadList, "lists")
	if err != nil {
		return campaign.Audience{}, u, err
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
		return campaign.Audience{}, u, invalid{{Field: "file", Sentence: "Choose the file with the patient list, and send it as multipart/form-data."}}
	}
	for {
		part, err := m.NextPart()
		if errors.Is(err, io.EOF) {
			return campaign.Audience{}, u, invalid{{Field: "file", Sentence: "Choose the file with the patient list."}}
		}
		if err != nil {
			return campaign.Audience{}, u, errBroken
		}
		if part.FormName() != "file" {
			if err := u.take(part); err != nil {
				return campaign.Audience{}, u, err
			}
			continue
		}
		if part.FileName() == "" {
			return campaign.Audience{}, u, invalid{{Field: "file", Sentence: "Choose the file with the patient list."}}
		}
		a, err := h.takeFile(ctx, who, &u, m, part, r.ContentLength)
		return a, u, err
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
	case name == "mapping" && value != "":
		var given map[string]string
		if err := json.Unmarshal(b, &given); err != nil {
			return invalid{{Field: "mapping", Sentence: `The mapping must be a JSON object, such as {"mobile": "Contact number"}.`}}
		}
		for field, column := range given {
			if !slices.Contains(fields, patientlist.Field(field)) {
				return invalid{{Field: "mapping", Sentence: fmt.Sprintf("There is no field %q. The fields are: %s.", field, joinFields())}}
			}
			set(patientlist.Field(field), column)
		}
	case strings.HasPrefix(name, "column-") && value != "":
		if f := patientlist.Field(strings.TrimPrefix(name, "column-")); slices.Contains(fields, f) {
			set(f, value)
		}
	}
	return nil
}

func joinFields() string {
	var all []string
	for _, f := range fields {
		all = append(all, string(f))
	}
	return strings.Join(all, ", ")
}

func (h *Handler) takeFile(ctx context.Context, who staff.Account, u *upload, m *multipart.Reader, part *multipart.Part, size int64) (campaign.Audience, error) {
	if u.practice != "" {
		n, err := h.cfg.Store.Network(ctx, who.Network)
		if err != nil {
			return campaign.Audience{}, fmt.Errorf("read the network: %w", err)
		}
		if _, known := practiceName(n, u.practice); !known {
			return campaign.Audience{}, invalid{{Field: "practice", Sentence: "Choose a practice of your network."}}
		}
	}
	title := func() string {
		if u.name != "" {
			return cut(u.name, 100)
		}
		base := filepath.Base(strings.ReplaceAll(part.FileName(), `\`, "/"))
		return cut(strings.TrimSuffix(base, filepath.Ext(base)), 100)
	}
	opt := patientlist.Options{Mapping: u.mapping, Today: h.civil(h.cfg.Now()), DefaultPractice: u.practice, MaxBytes: h.cfg.MaxUpload}
	if size > h.cfg.MaxUpload+maxForm { // refused before it is read; a little less may be the form around the file
		opt.Size = size
	}
	a, err := Import(ctx, ImportConfig{
		Begin: func(ctx context.Context) (campaign.Importer, error) {
			return h.cfg.Store.BeginImport(ctx, who, title(), false, false)
		},
		Reader: part, Options: opt,
		Name: func() (string, error) {
			for {
				after, err := m.NextPart()
				if errors.Is(err, io.EOF) {
					return title(), nil
				}
				if err != nil {
					return "", errBroken
				}
				if n := after.FormName(); n == "mapping" || n == "practice" || strings.HasPrefix(n, "column-") || n == "file" {
					return "", invalid{{Field: n, Sentence: fmt.Sprintf("Send one file, and %q before it.", n)}}
				}
				if err := u.take(after); err != nil {
					return "", err
				}
			}
		},
	})
	var file *patientlist.FileError
	if err != nil && (errors.Is(err, io.ErrUnexpectedEOF) || ctx.Err() != nil) && !errors.As(err, &file) {
		return a, errBroken
	}
	return a, err
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
	ID        campaign.AudienceID    `json:"id"`
	Name      string                 `json:"name"`
	State     campaign.AudienceState `json:"state"`
	CreatedAt time.Time              `json:"created_at"`
	Synthetic bool                   `json:"synthetic"`
	campaign.Ledger
}

func listJSON(a campaign.Audience) listAnswer {
	return listAnswer{a.ID, a.Name, a.State, a.CreatedAt, a.Synthetic, a.Ledger}
}

func (h *Handler) apiLists(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.ViewLists, "lists")
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	all, err := h.cfg.Store.Audiences(ctx, who.Network, listsShown)
	if err != nil {
		h.apiError(ctx, w, fmt.Errorf("read the lists: %w", err))
		return
	}
	lists := []listAnswer{}
	for _, a := range all {
		lists = append(lists, listJSON(a))
	}
	writeJSON(w, http.StatusOK, map[string]any{"lists": lists})
}
