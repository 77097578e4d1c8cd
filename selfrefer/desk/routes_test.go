package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
)

// Every route is in this table with what it needs; a new one that is not fails the test.
func TestRolesAndRoutes(t *testing.T) {
	b := newBench(t)
	id := b.refer(selfrefer.Answers{Reasons: []string{"loneliness"}, Name: "Marigold Testperson"}, selfrefer.Verified)
	urgent := b.refer(selfrefer.Answers{Words: "there is no food in the house"}, selfrefer.Verified)
	lin := b.who[staff.LinkWorker]
	correction := b.toCorrect("+447700900177")
	hook := b.hook("https://hooks.example.org/in").ID
	service := must(b.db.SetService(context.Background(), b.who[staff.SeniorLinkWorker], selfrefer.Service{Name: "Elm Club", Places: selfrefer.UnknownPlaces, Active: true}))(t).ID
	measure := must(b.db.AddOwnMeasure(context.Background(), b.who[staff.SeniorLinkWorker], selfrefer.OwnMeasure{Name: "Star", Questions: []string{"How is it?"}, High: 5, MoreIs: selfrefer.Better}))(t)
	type target struct {
		do    staff.Action
		path  string // with what belongs to the first network
		body  string
		ok    []int // for whom the role allows it
		alien int   // for the same role in the other network
	}
	targets := map[string]target{
		"GET /desk/sign-in":   {"", "/desk/sign-in", "", []int{303}, 303},
		"POST /desk/sign-in":  {"", "/desk/sign-in", form("email", "x@y.example", "password", "wrong wrong"), []int{422}, 422},
		"POST /desk/sign-out": {"", "/desk/sign-out", "", []int{303}, 303},
		"GET /desk":           {"", "/desk", "", []int{303}, 303},

		"GET /desk/sign-in/code":              {"", "/desk/sign-in/code", "", []int{303}, 303}, // who is in already goes on
		"POST /desk/sign-in/code":             {"", "/desk/sign-in/code", form("code", "123456"), []int{303}, 303},
		"POST /desk/sign-in/passkey":          {"", "/desk/sign-in/passkey", "", []int{200}, 200},
		"POST /desk/sign-in/passkey/finish":   {"", "/desk/sign-in/passkey/finish", form("credential", "{}"), []int{422}, 422},
		"GET /desk/sign-in/provider":          {"", "/desk/sign-in/provider", "", []int{404}, 404}, // none is set up
		"GET /desk/sign-in/provider/callback": {"", "/desk/sign-in/provider/callback", "", []int{404}, 404},
		"GET /desk/invitations/{secret}":      {"", "/desk/invitations/guess", "", []int{410}, 410},
		"POST /desk/invitations/{secret}":     {"", "/desk/invitations/guess", form("password", "gull kettle seven"), []int{410}, 410},
		"GET /desk/account":                   {"", "/desk/account", "", []int{403}, 403}, // by a token: these are for browsers
		"GET /desk/api":                       {"", "/desk/api", "", []int{403}, 403},
		"GET /desk/account/password":          {"", "/desk/account/password", "", []int{403}, 403},
		"POST /desk/account/password":         {"", "/desk/account/password", form("old", testPassword, "new", "gull kettle seven"), []int{403}, 403},
		"GET /desk/account/set-up":            {"", "/desk/account/set-up", "", []int{403}, 403},
		"GET /desk/account/app":               {"", "/desk/account/app", "", []int{403}, 403},
		"POST /desk/account/app":              {"", "/desk/account/app", form("do", "offer"), []int{403}, 403},
		"POST /desk/account/passkeys":         {"", "/desk/account/passkeys", "", []int{403}, 403},
		"POST /desk/account/passkeys/new":     {"", "/desk/account/passkeys/new", form("credential", "{}"), []int{403}, 403},
		"POST /desk/account/passkeys/remove":  {"", "/desk/account/passkeys/remove", form("id", "aaaa"), []int{403}, 403},
		"POST /desk/account/codes":            {"", "/desk/account/codes", "", []int{403}, 403},
		"POST /desk/account/sessions":         {"", "/desk/account/sessions", form("id", "others"), []int{403}, 403},
		"POST /desk/account/mail":             {"", "/desk/account/mail", form("mail", "handed_over"), []int{403}, 403},
		"GET /api/v1/notices":                 {"", "/api/v1/notices", "", []int{200}, 200},
		"GET /desk/staff":                     {staff.ManageStaff, "/desk/staff", "", []int{200}, 200},
		"POST /desk/staff":                    {staff.ManageStaff, "/desk/staff", form("email", lin.Email, "name", "Lin", "role", "volunteer", "team", "0"), []int{422}, 422},
		"GET /desk/staff/new":                 {staff.ManageStaff, "/desk/staff/new", "", []int{200}, 200},
		"GET /desk/staff/{account}":           {staff.ManageStaff, fmt.Sprint("/desk/staff/", lin.ID), "", []int{200}, 404},
		"POST /desk/staff/{account}":          {staff.ManageStaff, fmt.Sprint("/desk/staff/", lin.ID), form("do", "enable"), []int{303}, 404},
		"GET /desk/queue":                     {staff.ViewQueue, "/desk/queue", "", []int{200}, 200},
		"GET /desk/referrals/{id}":            {staff.ViewReferral, fmt.Sprint("/desk/referrals/", id), "", []int{200}, 404},
		"POST /desk/referrals/{id}":           {staff.WorkReferral, fmt.Sprint("/desk/referrals/", id), form("event", "claim"), []int{303, 409}, 404},
		"GET /desk/search":                    {staff.SearchReferrals, "/desk/search", "", []int{200}, 200},
		"POST /desk/search":                   {staff.SearchReferrals, "/desk/search", form("find", "marigold testperson"), []int{200}, 200},
		"POST /api/v1/referrals/search":       {staff.SearchReferrals, "/api/v1/referrals/search", `{"find":"Marigold Testperson"}`, []int{200}, 200},
		"GET /desk/capacity":                  {staff.ViewCapacity, fmt.Sprint("/desk/capacity?team=", b.team.ID), "", []int{200}, 404},
		"GET /desk/capacity/{account}":        {staff.EditCapacity, fmt.Sprint("/desk/capacity/", lin.ID), "", []int{200}, 404},
		"POST /desk/capacity/{account}":       {staff.EditCapacity, fmt.Sprint("/desk/capacity/", lin.ID), form("monday-from", "9", "monday-to", "17:00", "share", "50", "minutes", "40"), []int{303}, 404},
		"POST /desk/capacity/{account}/leave": {staff.EditCapacity, fmt.Sprint("/desk/capacity/", lin.ID, "/leave"), form("do", "remove", "from", "1", "to", "2"), []int{303}, 404},
		"GET /desk/words":                     {staff.ViewWords, "/desk/words", "", []int{200}, 200},
		"POST /desk/words":                    {staff.EditWords, "/desk/words", form("do", "standard-all", "version", "99"), []int{409}, 409}, // of a version that nobody has read
		"GET /desk/words/{part}/{entry}":      {staff.EditWords, "/desk/words/help/new", "", []int{200}, 200},
		"POST /desk/words/{part}/{entry}":     {staff.EditWords, "/desk/words/reasons/new", form("do", "preview", "code", "money", "words-en", "Food"), []int{200}, 200},
		"GET /api/v1/words":                   {staff.ViewWords, "/api/v1/words", "", []int{200}, 200},
		"PUT /api/v1/words":                   {staff.EditWords, "/api/v1/words", `{"version":99,"help":[],"reasons":[]}`, []int{409}, 409},
		"GET /api/v1/referrals":               {staff.ViewQueue, "/api/v1/referrals", "", []int{200}, 200},
		"GET /api/v1/referrals/{id}":          {staff.ViewReferral, fmt.Sprint("/api/v1/referrals/", id), "", []int{200}, 404},
		"POST /api/v1/referrals/{id}/{event}": {staff.WorkReferral, fmt.Sprint("/api/v1/referrals/", id, "/claim"), "{}", []int{200, 409}, 404},
		"GET /api/v1/teams/{team}/capacity":   {staff.ViewCapacity, fmt.Sprint("/api/v1/teams/", b.team.ID, "/capacity"), "", []int{200}, 404},
		"PUT /api/v1/teams/{team}/capacity":   {staff.EditCapacity, fmt.Sprint("/api/v1/teams/", b.team.ID, "/capacity"), `{"workers":[]}`, []int{200}, 404},

		"GET /desk/sick":                          {staff.WorkReferral, "/desk/sick", "", []int{200}, 200},
		"POST /desk/sick":                         {staff.WorkReferral, "/desk/sick", form("do", "preview"), []int{200}, 200},
		"GET /desk/sharing":                       {staff.EditCapacity, fmt.Sprint("/desk/sharing?team=", b.team.ID), "", []int{200}, 404},
		"POST /desk/sharing":                      {staff.EditCapacity, fmt.Sprint("/desk/sharing?team=", b.team.ID), form("auto", "suggest", "wait", "60", "ask", "10:30"), []int{303}, 404},
		"GET /desk/capacity/{account}/sick":       {staff.EditCapacity, fmt.Sprint("/desk/capacity/", lin.ID, "/sick"), "", []int{200}, 404},
		"POST /desk/capacity/{account}/sick":      {staff.EditCapacity, fmt.Sprint("/desk/capacity/", lin.ID, "/sick"), form("do", "preview"), []int{200}, 404},
		"GET /desk/capacity/{account}/presence":   {staff.EditCapacity, fmt.Sprint("/desk/capacity/", lin.ID, "/presence"), "", []int{200}, 404},
		"POST /desk/capacity/{account}/presence":  {staff.EditCapacity, fmt.Sprint("/desk/capacity/", lin.ID, "/presence"), form("x", "y"), []int{303}, 404},
		"POST /desk/capacity/{account}/languages": {staff.EditCapacity, fmt.Sprint("/desk/capacity/", lin.ID, "/languages"), form("speaks", "Polish"), []int{303}, 404},
		"GET /api/v1/referrals/next":              {staff.WorkReferral, "/api/v1/referrals/next", "", []int{200}, 200},
		"GET /api/v1/teams/{team}/sharing":        {staff.ViewCapacity, fmt.Sprint("/api/v1/teams/", b.team.ID, "/sharing"), "", []int{200}, 404},
		"PUT /api/v1/teams/{team}/sharing":        {staff.EditCapacity, fmt.Sprint("/api/v1/teams/", b.team.ID, "/sharing"), `{"auto_assign":false,"wait_minutes":60,"ask_at":null}`, []int{200}, 404},
		"GET /api/v1/sick":                        {staff.WorkReferral, "/api/v1/sick", "", []int{200}, 200},
		"POST /api/v1/sick":                       {staff.WorkReferral, "/api/v1/sick", `{"until":"2020-01-01T00:00:00Z"}`, []int{422}, 422},
		"DELETE /api/v1/sick":                     {staff.WorkReferral, "/api/v1/sick", "", []int{409}, 409}, // is not away
		"GET /api/v1/accounts/{account}/sick":     {staff.EditCapacity, fmt.Sprint("/api/v1/accounts/", lin.ID, "/sick"), "", []int{200}, 404},
		"POST /api/v1/accounts/{account}/sick":    {staff.EditCapacity, fmt.Sprint("/api/v1/accounts/", lin.ID, "/sick"), `{"until":"2020-01-01T00:00:00Z"}`, []int{422}, 404},
		"DELETE /api/v1/accounts/{account}/sick":  {staff.EditCapacity, fmt.Sprint("/api/v1/accounts/", lin.ID, "/sick"), "", []int{409}, 404},
		"POST /api/v1/accounts/{account}/present": {staff.EditCapacity, fmt.Sprint("/api/v1/accounts/", lin.ID, "/present"), "", []int{204}, 404},

		"POST /desk/capacity/{account}/preview":  {staff.EditCapacity, fmt.Sprint("/desk/capacity/", lin.ID, "/preview"), form("change", "remove", "from", "1", "to", "2"), []int{200}, 404},
		"GET /desk/referrals/{id}/support":       {staff.ViewReferral, fmt.Sprint("/desk/referrals/", id, "/support"), "", []int{200}, 404},
		"POST /desk/referrals/{id}/support":      {staff.WorkReferral, fmt.Sprint("/desk/referrals/", id, "/support"), form("do", "goal", "goal-words", "x"), []int{409}, 404},
		"POST /desk/referrals/{id}/tasks":        {staff.WorkReferral, fmt.Sprint("/desk/referrals/", id, "/tasks"), form("do", "task", "task-words", "ring", "task-kind", "task", "task-soon", "2026-06-03"), []int{303}, 404},
		"GET /desk/tasks":                        {staff.WorkReferral, "/desk/tasks", "", []int{200}, 200},
		"GET /desk/services":                     {staff.ViewServices, "/desk/services", "", []int{200}, 200},
		"GET /desk/services/services.csv":        {staff.ViewServices, "/desk/services/services.csv", "", []int{200}, 200},
		"GET /desk/services/new":                 {staff.EditServices, "/desk/services/new", "", []int{200}, 200},
		"POST /desk/services/new":                {staff.EditServices, "/desk/services/new", form("name", ""), []int{422}, 422},
		"GET /desk/services/import":              {staff.EditServices, "/desk/services/import", "", []int{200}, 200},
		"POST /desk/services/import":             {staff.EditServices, "/desk/services/import", form("secret", "guess"), []int{422}, 422},
		"GET /desk/services/{service}":           {staff.ViewServices, fmt.Sprint("/desk/services/", service), "", []int{200}, 404},
		"POST /desk/services/{service}":          {staff.CorrectPlaces, fmt.Sprint("/desk/services/", service), form("places", "3"), []int{303}, 404},
		"GET /desk/services/{service}/edit":      {staff.EditServices, fmt.Sprint("/desk/services/", service, "/edit"), "", []int{200}, 404},
		"POST /desk/services/{service}/edit":     {staff.EditServices, fmt.Sprint("/desk/services/", service, "/edit"), form("name", ""), []int{422}, 404},
		"GET /desk/support":                      {staff.EditSupport, "/desk/support", "", []int{200}, 200},
		"POST /desk/support":                     {staff.EditSupport, "/desk/support", form("do", "kinds", "kinds", ""), []int{422}, 422},
		"GET /api/v1/referrals/{id}/support":     {staff.ViewReferral, fmt.Sprint("/api/v1/referrals/", id, "/support"), "", []int{200}, 404},
		"POST /api/v1/referrals/{id}/support":    {staff.WorkReferral, fmt.Sprint("/api/v1/referrals/", id, "/support"), `{"task":{"words":"ring","due":"2026-06-03"}}`, []int{200}, 404},
		"GET /api/v1/tasks":                      {staff.WorkReferral, "/api/v1/tasks", "", []int{200}, 200},
		"GET /api/v1/services":                   {staff.ViewServices, "/api/v1/services", "", []int{200}, 200},
		"POST /api/v1/services":                  {staff.EditServices, "/api/v1/services", `{"name":""}`, []int{422}, 422},
		"POST /api/v1/services/import":           {staff.EditServices, "/api/v1/services/import?dry_run=true", "name", []int{200}, 200},
		"GET /api/v1/services/{service}":         {staff.ViewServices, fmt.Sprint("/api/v1/services/", service), "", []int{200}, 404},
		"PUT /api/v1/services/{service}":         {staff.EditServices, fmt.Sprint("/api/v1/services/", service), `{"name":"x","version":99}`, []int{409}, 404},
		"PUT /api/v1/services/{service}/places":  {staff.CorrectPlaces, fmt.Sprint("/api/v1/services/", service, "/places"), `{"places":2}`, []int{200}, 404},
		"GET /api/v1/support":                    {staff.ViewReferral, "/api/v1/support", "", []int{200}, 200},
		"PUT /api/v1/support/interventions":      {staff.EditSupport, "/api/v1/support/interventions", `{"interventions":[]}`, []int{422}, 422},
		"POST /api/v1/support/measures":          {staff.EditSupport, "/api/v1/support/measures", `{"name":""}`, []int{422}, 422},
		"PUT /api/v1/support/measures/{measure}": {staff.EditSupport, fmt.Sprint("/api/v1/support/measures/", measure), `{"used":false}`, []int{200}, 404},

		"GET /desk/reports":                          {staff.ViewReports, "/desk/reports", "", []int{200}, 200},
		"GET /desk/reports/report.csv":               {staff.ViewReports, "/desk/reports/report.csv", "", []int{422}, 422}, // no month is over
		"GET /desk/reports/report.xlsx":              {staff.ViewReports, "/desk/reports/report.xlsx", "", []int{422}, 422},
		"GET /api/v1/reports":                        {staff.ViewReports, "/api/v1/reports", "", []int{422}, 422},
		"GET /api/v1/reports/report.csv":             {staff.ViewReports, "/api/v1/reports/report.csv", "", []int{422}, 422},
		"GET /api/v1/reports/report.xlsx":            {staff.ViewReports, "/api/v1/reports/report.xlsx", "", []int{422}, 422},
		"GET /desk/optouts":                          {staff.ManageOptOuts, "/desk/optouts", "", []int{200}, 200},
		"GET /desk/optouts/corrections.csv":          {staff.ManageOptOuts, "/desk/optouts/corrections.csv", "", []int{200}, 200},
		"GET /desk/optouts/optouts.csv":              {staff.ManageOptOuts, "/desk/optouts/optouts.csv", "", []int{200}, 200},
		"POST /desk/optouts/{correction}":            {staff.ManageOptOuts, fmt.Sprint("/desk/optouts/", correction), form("x", "y"), []int{303}, 404},
		"GET /api/v1/optouts":                        {staff.ManageOptOuts, "/api/v1/optouts", "", []int{200}, 200},
		"POST /api/v1/optouts":                       {staff.ManageOptOuts, "/api/v1/optouts?dry_run=true", "07700900123", []int{200}, 200},
		"GET /api/v1/corrections":                    {staff.ManageOptOuts, "/api/v1/corrections", "", []int{200}, 200},
		"POST /api/v1/corrections/{correction}/done": {staff.ManageOptOuts, fmt.Sprint("/api/v1/corrections/", correction, "/done"), "", []int{204}, 404},

		"GET /desk/practices":                                          {staff.ExportPractice, "/desk/practices", "", []int{200}, 200},
		"GET /desk/practices/codes":                                    {staff.ExportPractice, "/desk/practices/codes", "", []int{200}, 200},
		"POST /desk/practices/codes":                                   {staff.ExportPractice, "/desk/practices/codes", form("accepted", "1"), []int{422}, 422},
		"GET /desk/practices/{ods}":                                    {staff.ExportPractice, "/desk/practices/N83006", "", []int{200}, 200}, // both networks have one of that code
		"POST /desk/practices/{ods}":                                   {staff.ExportPractice, "/desk/practices/N83006", form("x", "y"), []int{303}, 303},
		"GET /desk/practices/{ods}/{file}/{format}":                    {staff.ExportPractice, "/desk/practices/N83006/999/csv", "", []int{404}, 404},
		"POST /desk/practices/{ods}/{file}/again":                      {staff.ExportPractice, "/desk/practices/N83006/999/again", form("reason", "lost"), []int{404}, 404},
		"GET /desk/webhooks":                                           {staff.ManageWebhooks, "/desk/webhooks", "", []int{200}, 200},
		"POST /desk/webhooks":                                          {staff.ManageWebhooks, "/desk/webhooks", form("url", "http://10.0.0.1/", "events", "optout"), []int{422}, 422},
		"GET /desk/webhooks/{hook}":                                    {staff.ManageWebhooks, fmt.Sprint("/desk/webhooks/", hook), "", []int{200}, 404},
		"POST /desk/webhooks/{hook}":                                   {staff.ManageWebhooks, fmt.Sprint("/desk/webhooks/", hook), form("do", "test"), []int{303}, 404},
		"GET /api/v1/practices":                                        {staff.ExportPractice, "/api/v1/practices", "", []int{200}, 200},
		"GET /api/v1/practices/codes":                                  {staff.ExportPractice, "/api/v1/practices/codes", "", []int{200}, 200},
		"PUT /api/v1/practices/codes":                                  {staff.ExportPractice, "/api/v1/practices/codes", `{"accepted":"1"}`, []int{422}, 422},
		"GET /api/v1/practices/{ods}/files":                            {staff.ExportPractice, "/api/v1/practices/N83006/files", "", []int{200}, 200},
		"POST /api/v1/practices/{ods}/files":                           {staff.ExportPractice, "/api/v1/practices/N83006/files", "", []int{409}, 409},
		"GET /api/v1/practices/{ods}/files/{file}/{format}":            {staff.ExportPractice, "/api/v1/practices/N83006/files/999/fhir", "", []int{404}, 404},
		"POST /api/v1/practices/{ods}/files/{file}/again":              {staff.ExportPractice, "/api/v1/practices/N83006/files/999/again", `{"reason":"lost"}`, []int{404}, 404},
		"GET /api/v1/webhooks":                                         {staff.ManageWebhooks, "/api/v1/webhooks", "", []int{200}, 200},
		"POST /api/v1/webhooks":                                        {staff.ManageWebhooks, "/api/v1/webhooks", `{"url":"https://localhost/","events":["optout"]}`, []int{422}, 422},
		"DELETE /api/v1/webhooks/{hook}":                               {staff.ManageWebhooks, "/api/v1/webhooks/999", "", []int{404}, 404},
		"GET /api/v1/webhooks/{hook}/deliveries":                       {staff.ManageWebhooks, fmt.Sprint("/api/v1/webhooks/", hook, "/deliveries"), "", []int{200}, 404},
		"POST /api/v1/webhooks/{hook}/test":                            {staff.ManageWebhooks, fmt.Sprint("/api/v1/webhooks/", hook, "/test"), "", []int{204, 409}, 404},
		"POST /api/v1/webhooks/{hook}/on":                              {staff.ManageWebhooks, fmt.Sprint("/api/v1/webhooks/", hook, "/on"), "", []int{204}, 404},
		"POST /api/v1/webhooks/{hook}/off":                             {staff.ManageWebhooks, fmt.Sprint("/api/v1/webhooks/", hook, "/off"), "", []int{204}, 404},
		"POST /api/v1/webhooks/{hook}/deliveries/{delivery}/redeliver": {staff.ManageWebhooks, fmt.Sprint("/api/v1/webhooks/", hook, "/deliveries/999/redeliver"), "", []int{404, 409}, 404},
		"POST /desk/referrals/{id}/join":                               {staff.WorkReferral, fmt.Sprint("/desk/referrals/", id, "/join"), form("other", fmt.Sprint(id)), []int{409}, 404}, // with itself
		"POST /desk/referrals/{id}/separate":                           {staff.WorkReferral, fmt.Sprint("/desk/referrals/", id, "/separate"), "", []int{409}, 404},
		"POST /desk/referrals/{id}/undo":                               {staff.WorkReferral, fmt.Sprint("/desk/referrals/", id, "/undo"), "", []int{303, 409}, 404},
		"POST /api/v1/referrals/{id}/join":                             {staff.WorkReferral, fmt.Sprint("/api/v1/referrals/", id, "/join"), fmt.Sprintf(`{"other":%d}`, id), []int{409}, 404},
		"POST /api/v1/referrals/{id}/separate":                         {staff.WorkReferral, fmt.Sprint("/api/v1/referrals/", id, "/separate"), "{}", []int{409}, 404},
		"POST /api/v1/referrals/{id}/undo":                             {staff.WorkReferral, fmt.Sprint("/api/v1/referrals/", id, "/undo"), "{}", []int{200, 409}, 404},
	}
	for k, v := range map[string]target{
		"GET /desk/referrals/{id}/restrict":         {staff.RestrictReferral, fmt.Sprint("/desk/referrals/", id, "/restrict"), "", []int{200, 409}, 404}, // 409: somebody has it
		"POST /desk/referrals/{id}/restrict":        {staff.RestrictReferral, fmt.Sprint("/desk/referrals/", id, "/restrict"), form("mode", "all", "why", "works_here"), []int{422, 409}, 404},
		"GET /desk/referrals/{id}/glass":            {staff.ViewReferral, fmt.Sprint("/desk/referrals/", id, "/glass"), "", []int{303}, 404}, // it is not restricted
		"POST /desk/referrals/{id}/glass":           {staff.ViewReferral, fmt.Sprint("/desk/referrals/", id, "/glass"), form("reason", "no reason at all"), []int{303}, 404},
		"GET /desk/referrals/{id}/looked":           {staff.WhoLooked, fmt.Sprint("/desk/referrals/", id, "/looked"), "", []int{200}, 404},
		"GET /desk/referrals/{id}/looked.csv":       {staff.WhoLooked, fmt.Sprint("/desk/referrals/", id, "/looked.csv"), "", []int{200}, 404},
		"GET /desk/glass":                           {staff.ReadGlass, "/desk/glass", "", []int{200}, 200},
		"POST /desk/glass":                          {staff.ManageStaff, "/desk/glass", form("guardian", "0"), []int{303}, 303},
		"POST /desk/glass/{breaking}":               {staff.ReadGlass, "/desk/glass/999", form("note", "x"), []int{404}, 404},
		"GET /api/v1/referrals/{id}/restriction":    {staff.RestrictReferral, fmt.Sprint("/api/v1/referrals/", id, "/restriction"), "", []int{200, 409}, 404},
		"PUT /api/v1/referrals/{id}/restriction":    {staff.RestrictReferral, fmt.Sprint("/api/v1/referrals/", id, "/restriction"), `{"reason":"works_here"}`, []int{422, 409}, 404},
		"DELETE /api/v1/referrals/{id}/restriction": {staff.RestrictReferral, fmt.Sprint("/api/v1/referrals/", id, "/restriction"), "", []int{409}, 404},
		"POST /api/v1/referrals/{id}/break-glass":   {staff.ViewReferral, fmt.Sprint("/api/v1/referrals/", id, "/break-glass"), `{"reason":"no reason at all"}`, []int{409}, 404},
		"GET /api/v1/referrals/{id}/looked":         {staff.WhoLooked, fmt.Sprint("/api/v1/referrals/", id, "/looked"), "", []int{200}, 404},
		"GET /api/v1/glass":                         {staff.ReadGlass, "/api/v1/glass", "", []int{200}, 200},
		"POST /api/v1/glass/{breaking}/acknowledge": {staff.ReadGlass, "/api/v1/glass/999/acknowledge", `{"note":"x"}`, []int{404}, 404},
		"PUT /api/v1/guardian":                      {staff.ManageStaff, "/api/v1/guardian", `{"account":0}`, []int{204}, 204},
	} {
		targets[k] = v
	}
	err := chi.Walk(b.router, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if strings.HasPrefix(pattern, "/static/") {
			return nil
		}
		c, ok := targets[method+" "+pattern]
		if !ok {
			t.Errorf("%s %s is not in the table of this test", method, pattern)
			return nil
		}
		delete(targets, method+" "+pattern)
		for _, role := range staff.Roles {
			for which, a := range map[string]staff.Account{"own": b.who[role], "other": b.away[role]} {
				want := c.ok
				switch may := c.do == "" || staff.May(a, c.do, a.Network) == nil; {
				case !may:
					want = []int{403}
				case which == "other":
					want = []int{c.alien}
				}
				before := b.denials(a)
				got := b.send(a, method, c.path, c.body)
				if !contains(want, got.status) {
					t.Errorf("%s %s as %s of the %s network: %d, want %v: %.200s", method, pattern, role, which, got.status, want, got.body)
				}
				if which == "other" && strings.Contains(got.body, "Marigold") {
					t.Errorf("%s %s shows %s of another network who refers herself", method, pattern, role)
				}
				if got.status == 403 && b.denials(a) != before+1 {
					t.Errorf("%s %s as %s: the denial is not in the audit once", method, pattern, role)
				}
				// Whoever may not open a referral reads no name anywhere.
				if staff.May(a, staff.ViewReferral, a.Network) != nil && strings.Contains(got.body, "Marigold") {
					t.Errorf("%s %s shows a name to a %s", method, pattern, role)
				}
			}
		}
		nobody := b.send(staff.Account{}, method, c.path, c.body)
		switch {
		case strings.HasPrefix(pattern, "/api/"):
			if nobody.status != 401 || nobody.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s signed out: %d", method, pattern, nobody.status)
			}
		case stageFor(c.path) != outside && (nobody.status != 303 || !strings.HasPrefix(nobody.header.Get("Location"), signInPath)):
			t.Errorf("%s %s signed out: %d to %s", method, pattern, nobody.status, nobody.header.Get("Location"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for route := range targets {
		t.Errorf("%s is in the table of this test and not in the desk", route)
	}
	// What a volunteer may not: an urgent one.
	for _, c := range [][2]string{{"GET", fmt.Sprint("/desk/referrals/", urgent)}, {"GET", fmt.Sprint("/api/v1/referrals/", urgent)}, {"POST", fmt.Sprint("/api/v1/referrals/", urgent, "/claim")}} {
		if got := b.send(b.who[staff.Volunteer], c[0], c[1], ""); got.status != 403 {
			t.Errorf("%s of an urgent referral as volunteer: %d", c[0], got.status)
		}
	}
	if strings.Contains(b.log.String(), "Marigold") {
		t.Error("the log holds a name")
	}
}

func contains(all []int, n int) bool {
	for _, a := range all {
		if a == n {
			return true
		}
	}
	return false
}

// denials counts what the audit has of an account's refusals.
func (b *bench) denials(a staff.Account) (n int) {
	b.tb.Helper()
	entries, _, err := b.db.AuditEntries(context.Background(), a.Network, 0, 100_000)
	if err != nil {
		b.tb.Fatal(err)
	}
	for _, e := range entries {
		if e.Account == a.ID && e.Outcome == "denied" {
			n++
		}
	}
	return n
}

func TestErrorsAreOneTable(t *testing.T) {
	b := newBench(t)
	lin := b.who[staff.LinkWorker]
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/referrals/999", "", 404, "not_found"},
		{"GET", "/referrals/abc", "", 404, "not_found"},
		{"GET", "/referrals?state=all", "", 422, "invalid"},
		{"GET", "/referrals?after=x", "", 422, "invalid"},
		{"POST", "/referrals/1/dance", "", 404, "not_found"},
		{"POST", "/referrals/1/attempt", `{"channel":"pigeon"}`, 422, "invalid"},
		{"POST", "/referrals/1/attempt", `{"colour":"red"}`, 422, "invalid"},
		{"POST", "/referrals/1/attempt", `{"note":"` + strings.Repeat("x", maxBody) + `"}`, 413, "too_large"},
		{"PUT", fmt.Sprint("/teams/", b.team.ID, "/capacity"), `{}`, 403, "denied"},
	} {
		var p struct {
			Code   string `json:"code"`
			Detail string `json:"detail"`
		}
		if got := b.call(lin, c.method, c.path, c.body, &p); got != c.status || p.Code != c.code || p.Detail == "" {
			t.Errorf("%s %s: %d %s %q, want %d %s", c.method, c.path, got, p.Code, p.Detail, c.status, c.code)
		}
	}
	token := b.token(lin)
	if err := b.db.Close(); err != nil {
		t.Fatal(err)
	}
	b.tokens[lin.ID] = token
	got := b.send(lin, "GET", "/api/v1/referrals", "")
	got.holds(t, 500, `"code":"internal"`)
	if strings.Count(b.log.String(), "call failed") != 1 {
		t.Errorf("an internal error is logged once: %s", b.log)
	}
	b.db = must(store.Open(context.Background(), store.Config{DataDir: t.TempDir(), Keys: t.TempDir() + "/keys", Now: b.civil, Machine: b.wall}))(t) // for the cleanup
}

// The description names every call of the API and no other, and every parameter of its path.
func TestOpenAPI(t *testing.T) {
	h := &Handler{}
	paths := h.OpenAPI()
	if _, err := json.Marshal(paths); err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for path, methods := range paths {
		for method, call := range methods.(map[string]any) {
			described[strings.ToUpper(method)+" "+path] = true
			for _, part := range strings.Split(path, "/") {
				name, ok := strings.CutPrefix(part, "{")
				if ok && !strings.Contains(fmt.Sprint(call.(map[string]any)["parameters"]), "name:"+strings.TrimSuffix(name, "}")) {
					t.Errorf("%s %s does not describe %s", method, path, part)
				}
			}
		}
	}
	for _, e := range h.routes() {
		if key := e.method + " " + e.pattern; strings.HasPrefix(e.pattern, "/api/") && !described[key] {
			t.Errorf("%s is not described", key)
		} else {
			delete(described, key)
		}
	}
	for key := range described {
		t.Errorf("%s is described and does not exist", key)
	}
}
