package desk

import (
	"net/http"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

const apiPath = "/desk/api"

// apiPage tells whoever works here how another program does what these pages do.
func (h *Handler) apiPage(w http.ResponseWriter, r *http.Request, _ staff.Session) error {
	if h.About == "" {
		return staff.ErrNotFound
	}
	return h.show(w, r, http.StatusOK, "api", ui.Page{Title: "The API", Back: accountPath, Data: h.About})
}
