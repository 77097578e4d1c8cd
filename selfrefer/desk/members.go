package desk

import (
	"cmp"
	"encoding/base32"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// mustBase32 reads a secret that we have made ourselves.
func mustBase32(secret string) []byte {
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		panic("a secret for an authenticator app that is no base32") // the store opens nothing that was changed
	}
	return b
}

// memberTag says how an account stands.
func (h *Handler) memberTag(m staff.Member) ui.Cell {
	switch {
	case m.Disabled:
		return ui.Cell{Text: "Disabled", Tag: "grey"}
	case !m.Invited.IsZero():
		return ui.Cell{Text: "Invited", Tag: "blue"}
	case m.SignedIn.IsZero():
		return ui.Cell{Text: "Never signed in", Tag: "yellow"}
	}
	return ui.Cell{Text: "Active", Tag: "green"}
}

func factorWords(all []staff.Factor) string {
	if len(all) == 0 {
		return "None"
	}
	var words []string
	for _, f := range all {
		words = append(words, map[staff.Factor]string{staff.TOTP: "authenticator app", staff.Passkey: "passkey"}[f])
	}
	return capital(strings.Join(words, ", "))
}

func (h *Handler) teamNames(r *http.Request, who staff.Account) (map[staff.TeamID]string, []staff.Team, error) {
	teams, err := h.Store.NetworkTeams(r.Context(), who.Network)
	if err != nil {
		return nil, nil, fmt.Errorf("read the teams: %w", err)
	}
	names := map[staff.TeamID]string{}
	for _, t := range teams {
		names[t.ID] = t.Name
	}
	return names, teams, nil
}

// staffScreen is the data of staff.html.
type staffScreen struct {
	Accounts ui.Table
	Mail     ui.SummaryList
}

func (h *Handler) staffPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	members, err := h.Store.Members(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read who works here: %w", err)
	}
	teams, _, err := h.teamNames(r, who)
	if err != nil {
		return err
	}
	t := ui.Table{Caption: "Accounts of your network", Stacked: true, RowHeaders: true, Empty: "There are no accounts.",
		Head: []ui.Cell{{Text: "Name"}, {Text: "Role"}, {Text: "Team"}, {Text: "Second factor"}, {Text: "Last sign-in"}, {Text: "State"}}}
	for _, m := range members {
		t.Rows = append(t.Rows, []ui.Cell{{Text: m.Name, Href: fmt.Sprint(staffPath, "/", m.ID)}, {Text: capital(m.Role.Words())}, {Text: cmp.Or(teams[m.Team], "None")},
			{Text: factorWords(m.Factors)}, {Text: capital(h.moment(m.SignedIn))}, h.memberTag(m)})
	}
	mailing, err := h.mailFacts(r.Context(), who)
	if err != nil {
		return err
	}
	return h.show(w, r, http.StatusOK, "staff", ui.Page{Title: "Staff", Data: staffScreen{t, mailing}})
}

// inviteScreen is the data of invite.html.
type inviteScreen struct{ Email, Name, Role, Team, Practices ui.Field }

func (h *Handler) showInvite(w http.ResponseWriter, r *http.Request, who staff.Account, status int, errs []ui.FieldError) error {
	_, teams, err := h.teamNames(r, who)
	if err != nil {
		return err
	}
	var roles, places []ui.Option
	for _, role := range staff.Roles {
		roles = append(roles, ui.Option{Value: string(role), Label: capital(role.Words())})
	}
	for _, t := range teams {
		places = append(places, ui.Option{Value: fmt.Sprint(int64(t.ID)), Label: t.Name})
	}
	places = append(places, ui.Option{Value: "0", Label: "None"})
	practices, err := h.practicesField(r, who, r.PostForm["practices"])
	if err != nil {
		return err
	}
	return h.show(w, r, status, "invite", ui.Page{Title: "Invite somebody", Back: staffPath, Errors: errs, Data: inviteScreen{
		Email:     ui.Field{Name: "email", Label: "E-mail address", Hint: "They sign in with it", Type: "email", NoSpellcheck: true, Value: r.PostFormValue("email")},
		Name:      ui.Field{Name: "name", Label: "Full name", NoSpellcheck: true, Value: r.PostFormValue("name")},
		Role:      ui.Field{Kind: ui.Radios, Name: "role", Label: "Role", Options: roles, Value: r.PostFormValue("role")},
		Team:      ui.Field{Kind: ui.Select, Name: "team", Label: "Team", Hint: "For link workers and volunteers", Options: places, Value: r.PostFormValue("team")},
		Practices: practices,
	}})
}

func (h *Handler) invitePage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.showInvite(w, r, who, http.StatusOK, nil)
}

func (h *Handler) invite(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	a := staff.Account{Network: who.Network, Email: strings.TrimSpace(r.PostFormValue("email")), Name: strings.Join(strings.Fields(r.PostFormValue("name")), " ")}
	var errs []ui.FieldError
	if address, err := mail.ParseAddress(a.Email); err != nil || address.Address != a.Email || len(a.Email) > 320 {
		errs = append(errs, ui.FieldError{Field: "email", Sentence: "Enter an e-mail address, like name@example.nhs.uk"})
	}
	if a.Name == "" || len(a.Name) > 200 {
		errs = append(errs, ui.FieldError{Field: "name", Sentence: "Enter their full name"})
	}
	var err error
	if a.Role, err = staff.ParseRole(r.PostFormValue("role")); err != nil {
		errs = append(errs, ui.FieldError{Field: "role", Sentence: "Choose a role"})
	}
	if a.Role.Answers() {
		_, teams, err := h.teamNames(r, who)
		if err != nil {
			return err
		}
		for _, t := range teams {
			if r.PostFormValue("team") == fmt.Sprint(int64(t.ID)) {
				a.Team = t.ID
			}
		}
		if a.Team == 0 {
			errs = append(errs, ui.FieldError{Field: "team", Sentence: "Choose a team: somebody of this role answers people"})
		}
	}
	if a.Role == staff.PracticeViewer {
		n, err := h.Store.Network(r.Context(), who.Network)
		if err != nil {
			return fmt.Errorf("read the network: %w", err)
		}
		codes, sentence := practicesAsked(n, r.PostForm["practices"])
		if sentence != "" {
			errs = append(errs, ui.FieldError{Field: "practices", Sentence: sentence})
		}
		a = a.WithPractices(codes)
	}
	if errs != nil {
		return h.showInvite(w, r, who, http.StatusUnprocessableEntity, errs)
	}
	invited, secret, err := h.Store.Invite(r.Context(), who, a)
	if errors.Is(err, staff.ErrEmailTaken) {
		return h.showInvite(w, r, who, http.StatusUnprocessableEntity, []ui.FieldError{{Field: "email", Sentence: "There is an account with this e-mail address already"}})
	}
	if err != nil {
		return err
	}
	return h.showLink(w, r, invited, secret)
}

// linkScreen is the data of link.html.
type linkScreen struct {
	Name string
	Link ui.Field
}

// showLink shows the link of an invitation, which is the only time.
func (h *Handler) showLink(w http.ResponseWriter, r *http.Request, a staff.Account, secret string) error {
	return h.show(w, r, http.StatusOK, "link", ui.Page{Title: "Pass this link on", Back: staffPath, Data: linkScreen{a.Name,
		ui.Field{Kind: ui.Textarea, Name: "link", Label: "Link for " + a.Name, Rows: 3, NoSpellcheck: true, Value: InvitationLink(h.PublicURL, secret)}}})
}

// InvitationLink is the address that an invited person opens.
func InvitationLink(publicURL, secret string) string {
	return strings.TrimSuffix(publicURL, "/") + invitationPath + "/" + secret
}

// memberScreen is the data of member.html.
type memberScreen struct {
	Facts                   ui.SummaryList
	Action                  string
	Self, Disabled, Invited bool
	Name                    string
	Viewer                  bool // of practices
	Practices               ui.Field
}

func (h *Handler) member(r *http.Request, who staff.Account) (staff.Member, error) {
	id, err := pathID[staff.AccountID](r, "account")
	if err != nil {
		return staff.Member{}, err
	}
	members, err := h.Store.Members(r.Context(), who.Network)
	if err != nil {
		return staff.Member{}, fmt.Errorf("read who works here: %w", err)
	}
	for _, m := range members {
		if m.ID == id {
			return m, nil
		}
	}
	return staff.Member{}, staff.ErrNotFound
}

func (h *Handler) memberPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.showMember(w, r, who, http.StatusOK, nil)
}

func (h *Handler) showMember(w http.ResponseWriter, r *http.Request, who staff.Account, status int, errs []ui.FieldError) error {
	m, err := h.member(r, who)
	if err != nil {
		return err
	}
	teams, _, err := h.teamNames(r, who)
	if err != nil {
		return err
	}
	rows := []ui.SummaryRow{
		{Key: "E-mail address", Values: []ui.Cell{{Text: m.Email}}},
		{Key: "Role", Values: []ui.Cell{{Text: capital(m.Role.Words())}}},
		{Key: "Team", Values: []ui.Cell{{Text: cmp.Or(teams[m.Team], "None")}}},
		{Key: "State", Values: []ui.Cell{h.memberTag(m)}},
		{Key: "Second factor", Values: []ui.Cell{{Text: factorWords(m.Factors)}}},
		{Key: "Last sign-in", Values: []ui.Cell{{Text: capital(h.moment(m.SignedIn))}}},
		{Key: "Signed in now", Values: []ui.Cell{{Text: capital(plural(m.Sessions, "session") + " or tokens")}}},
	}
	if !m.Invited.IsZero() {
		rows = append(rows, ui.SummaryRow{Key: "A link of theirs works until", Values: []ui.Cell{{Text: h.moment(m.Invited)}}})
	}
	viewer, practices := m.Role == staff.PracticeViewer, ui.Field{}
	if viewer {
		n, err := h.Store.Network(r.Context(), who.Network)
		if err != nil {
			return fmt.Errorf("read the network: %w", err)
		}
		rows = append(rows, ui.SummaryRow{Key: "Practices", Values: []ui.Cell{{Text: practiceNames(n, m.Account)}}})
		ticked := m.PracticeCodes()
		if errs != nil {
			ticked = r.PostForm["practices"]
		}
		if practices, err = h.practicesField(r, who, ticked); err != nil {
			return err
		}
	}
	notice := map[string]string{"practices": "Saved: what is of other practices does not exist for " + m.Name + ".", "disable": m.Name + " cannot sign in any more, and is signed out everywhere.", "enable": m.Name + " can sign in again.", "end": m.Name + " is signed out everywhere."}[r.FormValue("done")]
	return h.show(w, r, status, "member", ui.Page{Title: m.Name, Back: staffPath, Notice: notice, Errors: errs,
		Data: memberScreen{ui.SummaryList{Rows: rows}, fmt.Sprint(staffPath, "/", m.ID), m.ID == who.ID, m.Disabled, !m.Invited.IsZero(), m.Name, viewer, practices}})
}

func (h *Handler) changeMember(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[staff.AccountID](r, "account")
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	do := r.PostFormValue("do")
	switch do {
	case "invite", "reset":
		a, secret, err := h.Store.Reinvite(r.Context(), who, id, do == "reset")
		if err != nil {
			return err
		}
		return h.showLink(w, r, a, secret)
	case "disable":
		err = h.Store.Disable(r.Context(), who, id)
	case "enable":
		err = h.Store.Enable(r.Context(), who, id)
	case "end":
		err = h.Store.EndSessions(r.Context(), who, id)
	case "practices":
		var sentence string
		if sentence, err = h.changePractices(r, who, id); sentence != "" {
			return h.showMember(w, r, who, http.StatusUnprocessableEntity, []ui.FieldError{{Field: "practices", Sentence: sentence}})
		}
	default:
		err = staff.ErrNotFound
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, fmt.Sprint(staffPath, "/", id, "?done=", do), http.StatusSeeOther)
	return nil
}

// invitationScreen is the data of invitation.html.
type invitationScreen struct {
	Action, Name, Email string
	Password            ui.Field
}

func (h *Handler) showInvitation(w http.ResponseWriter, r *http.Request, status int, a staff.Account, errs []ui.FieldError) error {
	h.UI.Render(w, r, status, "invitation", ui.Page{Title: "Choose a password", Kind: ui.Desk, Organisation: "Wellpaced", Errors: errs,
		Data: invitationScreen{invitationPath + "/" + chi.URLParam(r, "secret"), a.Name, a.Email, newPasswordField("password")}})
	return nil
}

// invitationPage is what an invited person opens. To look changes nothing: who passes the link on may have its preview fetched.
func (h *Handler) invitationPage(w http.ResponseWriter, r *http.Request, _ staff.Account) error {
	a, err := h.Store.InvitedAccount(r.Context(), chi.URLParam(r, "secret"))
	if err != nil {
		return err
	}
	return h.showInvitation(w, r, http.StatusOK, a, nil)
}

func (h *Handler) acceptInvitation(w http.ResponseWriter, r *http.Request, _ staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	secret := chi.URLParam(r, "secret")
	a, err := h.Store.InvitedAccount(r.Context(), secret) // before the hash: it costs nothing to ask with a made-up link
	if err != nil {
		return err
	}
	hash, sentence := h.newHash(r, r.PostFormValue("password"))
	if sentence != "" {
		return h.showInvitation(w, r, http.StatusUnprocessableEntity, a, []ui.FieldError{{Field: "password", Sentence: sentence}})
	}
	if a, err = h.Store.AcceptInvitation(r.Context(), secret, hash); err != nil {
		return err
	}
	return h.enter(w, r, a, staff.NoFactor, "")
}
