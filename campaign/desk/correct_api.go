package desk

import (
	"fmt"
	"net/http"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// correctionAnswer is a correction as the API tells it.
type correctionAnswer struct {
	ID           campaign.CorrectionID              `json:"id"`
	State        campaign.CorrectionState           `json:"state"`
	Text         string                             `json:"text"`
	Translations map[lang.Code]campaign.Translation `json:"translations,omitempty"`
	From         *time.Time                         `json:"from,omitempty"`
	To           time.Time                          `json:"to"`
	Step         int                                `json:"step,omitempty"`
	Language     lang.Code                          `json:"language,omitempty"`
	Uncorrected  bool                               `json:"uncorrected,omitempty"`
	Held         string                             `json:"held,omitempty"`
	Planning     bool                               `json:"planning"`
	Messages     map[campaign.MessageState]int      `json:"messages"` // every state, zeros too
	Texts        int                                `json:"texts"`    // that the provider has taken
	Cost         amount                             `json:"cost"`
	WrittenBy    staff.AccountID                    `json:"written_by"`
	WrittenAt    time.Time                          `json:"written_at"`
	ApprovedBy   staff.AccountID                    `json:"approved_by,omitempty"`
	ApprovedAt   *time.Time                         `json:"approved_at,omitempty"`
	EndedAt      *time.Time                         `json:"ended_at,omitempty"`
	Hash         string                             `json:"hash"`
	// Reach is whom it would reach now, of one that waits for approval.
	Reach *reachAnswer `json:"reach,omitempty"`
}

type reachAnswer struct {
	People     int               `json:"people"`
	Segments   int               `json:"segments"`
	Cost       amount            `json:"cost"`
	Languages  map[lang.Code]int `json:"languages"`
	Out        map[string]int    `json:"out"`
	OverBudget bool              `json:"over_budget"`
	Shown      string            `json:"shown"` // see campaign.CorrectionApproval
}

func correctionJSON(k campaign.Correction) correctionAnswer {
	a := correctionAnswer{ID: k.ID, State: k.State, Text: k.Text, Translations: k.Translations, From: optional(k.Whom.From), To: k.Whom.To, Step: k.Whom.Step, Language: k.Whom.Language, Uncorrected: k.Whom.Uncorrected,
		Held: k.Held, Planning: k.Planning, Messages: map[campaign.MessageState]int{}, Texts: k.Counts.Texts(), Cost: amount(k.Cost), WrittenBy: k.WrittenBy, WrittenAt: k.WrittenAt,
		ApprovedBy: k.ApprovedBy, ApprovedAt: optional(k.ApprovedAt), EndedAt: optional(k.EndedAt), Hash: k.Hash()}
	for _, s := range campaign.MessageStates {
		a.Messages[s] = k.Counts[s]
	}
	return a
}

func (h *Handler) apiCorrections(w http.ResponseWriter, r *http.Request) {
	who, v, err := h.view(r)
	var all []campaign.Correction
	if err == nil {
		all, err = h.cfg.Store.CampaignCorrections(r.Context(), who.Network, v.ID)
	}
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	answer := []correctionAnswer{}
	for _, k := range all {
		answer = append(answer, correctionJSON(k))
	}
	writeJSON(w, http.StatusOK, map[string]any{"corrections": answer})
}

func (h *Handler) apiCorrection(w http.ResponseWriter, r *http.Request) {
	h.answerCorrection(w, r, http.StatusOK)
}

// answerCorrection answers with the correction of the path as it is now.
func (h *Handler) answerCorrection(w http.ResponseWriter, r *http.Request, status int) {
	who, v, k, err := h.seenCorrection(r)
	if err == nil {
		h.writeCorrectionJSON(w, r, status, who, v, k)
		return
	}
	h.apiError(r.Context(), w, err)
}

func (h *Handler) writeCorrectionJSON(w http.ResponseWriter, r *http.Request, status int, who staff.Account, v campaign.View, k campaign.Correction) {
	a := correctionJSON(k)
	if k.State == campaign.CorrectionWritten {
		reach, err := h.cfg.Store.CorrectionReach(r.Context(), who.Network, v.ID, k.Wording)
		if err != nil {
			h.apiError(r.Context(), w, fmt.Errorf("count whom correction %d reaches: %w", k.ID, err))
			return
		}
		a.Reach = &reachAnswer{reach.People, reach.Segments, amount(reach.Cost), reach.In, reach.Out, reach.OverBudget(), h.cfg.Store.MarkReach(who, k, reach.People)}
	}
	writeJSON(w, status, a)
}

func (h *Handler) apiWriteCorrection(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	var call struct {
		Text         string                             `json:"text"`
		Translations map[lang.Code]campaign.Translation `json:"translations"`
		From         time.Time                          `json:"from"`
		To           time.Time                          `json:"to"`
		Step         int                                `json:"step"`
		Language     lang.Code                          `json:"language"`
		Uncorrected  bool                               `json:"uncorrected"`
	}
	err := readJSON(w, r, &call, false)
	var who staff.Account
	var v campaign.View
	if err == nil {
		who, v, err = h.view(r)
	}
	var k campaign.Correction
	if err == nil {
		k, err = h.writeCorrection(ctx, who, v, campaign.Wording{Text: typed(call.Text), Translations: trimmed(call.Translations),
			Whom: campaign.Whom{From: call.From, To: call.To, Step: call.Step, Language: call.Language, Uncorrected: call.Uncorrected}})
	}
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/api/v1/campaigns/%d/corrections/%d", v.ID, k.ID))
	h.writeCorrectionJSON(w, r, http.StatusCreated, who, v, k)
}

func (h *Handler) apiApproveCorrection(w http.ResponseWriter, r *http.Request) {
	var call struct {
		Hash       string    `json:"hash"`
		People     *typedInt `json:"people"`
		OverBudget bool      `json:"over_budget"`
		Shown      string    `json:"shown"`
	}
	err := readJSON(w, r, &call, true)
	if err == nil {
		_, err = h.approveCorrection(r, campaign.CorrectionApproval{Approval: campaign.Approval{Hash: call.Hash, People: call.People.typed()}, OverBudget: call.OverBudget, Shown: call.Shown})
	}
	h.apiCorrectionMoved(w, r, err)
}

func (h *Handler) apiStopCorrection(w http.ResponseWriter, r *http.Request) {
	_, err := h.stopCorrection(r)
	h.apiCorrectionMoved(w, r, err)
}

func (h *Handler) apiResumeCorrection(w http.ResponseWriter, r *http.Request) {
	_, err := h.resumeCorrection(r)
	h.apiCorrectionMoved(w, r, err)
}

func (h *Handler) apiCorrectionMoved(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	h.answerCorrection(w, r, http.StatusOK)
}

// correctionPaths describes corrections.
func correctionPaths(call func(name, summary string, responses, more object) object, answer func(status, what string, schema object) object, body func(kind string, schema object, required bool) object, id object) object {
	thing := func(properties object) object { return object{"type": "object", "properties": properties} }
	of := func(what object, description string) object {
		described := object{"description": description}
		for k, v := range what {
			described[k] = v
		}
		return described
	}
	number, word, yes := object{"type": "integer"}, object{"type": "string"}, object{"type": "boolean"}
	instant, money := object{"type": []string{"string", "null"}, "format": "date-time"}, object{"type": "string", "description": "Pounds"}
	counts := object{"type": "object", "additionalProperties": number}
	translations := object{"type": "object", "description": "The text in other languages, by code. Each person gets it in the language of their first text, else in English. One that no professional has reviewed is refused, except for a list that is made up.",
		"propertyNames": object{"enum": otherLanguages()}, "additionalProperties": thing(object{"text": word, "reviewed": yes})}
	states := object{}
	for _, s := range campaign.MessageStates {
		states[string(s)] = number
	}
	whom := object{"text": of(word, "Needs ((stop_link)), may have ((practice)), ((network)), ((phone)) and ((link)), and never has a name"), "translations": translations,
		"from": of(instant, "Only those texted from then on"), "to": of(instant, "Only those texted until then; at the latest until now"),
		"step": of(number, "Only those who had this step; 0 for any"), "language": of(word, "Only those who had it in this language"), "uncorrected": of(yes, "Leave out people who have had an earlier correction, or may have")}
	correction := object{"id": number, "state": object{"enum": []string{string(campaign.CorrectionWritten), string(campaign.CorrectionSending), string(campaign.CorrectionDone), string(campaign.CorrectionStopped)}},
		"held": of(word, "Why sending is held; resume goes on"), "planning": yes, "messages": thing(states), "texts": number, "cost": money, "written_by": number, "written_at": instant,
		"approved_by": number, "approved_at": instant, "ended_at": instant, "hash": of(word, "What an approval is for"),
		"reach": of(thing(object{"people": number, "segments": number, "cost": money, "languages": counts, "out": of(counts, "Who gets none, by why"), "over_budget": yes,
			"shown": of(word, "Proves that you were shown this number of people; send it with your approval")}), "Whom it would reach now, while it waits for approval")}
	for k, v := range whom {
		correction[k] = v
	}
	schema := thing(correction)
	written := thing(whom)
	written["required"] = []string{"text"}
	parameters := []object{id, {"name": "correction", "in": "path", "required": true, "schema": number}}
	with := func(more object) object {
		all := object{"parameters": parameters}
		for k, v := range more {
			all[k] = v
		}
		return all
	}
	path := "/api/v1/campaigns/{id}/corrections"
	create := body("application/json", written, true)
	create["parameters"] = []object{id}
	return object{
		path: object{
			"get":  call("campaignCorrections", "What was said once more to those whom a campaign has texted, newest first", answer("200", "The corrections", thing(object{"corrections": object{"type": "array", "items": schema}})), object{"parameters": []object{id}}),
			"post": call("writeCampaignCorrection", "Write a correction to those whom a campaign has texted. A second person approves it; one at a time", answer("201", "The correction", schema), create),
		},
		path + "/{correction}": object{"get": call("campaignCorrection", "One correction, and how it goes", answer("200", "The correction", schema), with(nil))},
		path + "/{correction}/approve": object{"post": call("approveCampaignCorrection", "Approve, as a second person; it leaves at once, within the hours for texts", answer("200", "The correction", schema),
			with(body("application/json", thing(object{"hash": of(word, "If given, the correction must still be exactly this"), "people": of(number, "How many people get it. Needed above 200; a wrong number is refused (422)"),
				"shown":       of(word, "What came with that number in reach. With it the number may have sunk since you were shown it, as it does while people opt out; if it has grown, it is refused with the new one (422)"),
				"over_budget": of(yes, "Send it although the campaign then costs more than it may")}), false)))},
		path + "/{correction}/stop":   object{"post": call("stopCampaignCorrection", "Stop it for good: once this is answered, no text of it leaves. One that nobody has approved is dropped", answer("200", "The correction", schema), with(nil))},
		path + "/{correction}/resume": object{"post": call("resumeCampaignCorrection", "Go on, after the provider had refused the account", answer("200", "The correction", schema), with(nil))},
	}
}
