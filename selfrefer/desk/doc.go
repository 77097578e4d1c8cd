// Package desk is where the link worker sits: sign-in, the queue, one referral, and the team's capacity.
//
// Every screen is a file with its template beside it, and holds the page and the API call for the same thing, so that both obey the
// same rules. All routes stand in one table (routes.go); a route names the [staff.Action] that it needs, and the table's wrapper asks
// [staff.Check] before the screen's own code runs. The rules of triage themselves live in package selfrefer, and the store applies them:
// this package shows what they answer. When two people claim the same referral the first wins, and the other is told who and when.
//
// Personal data are revealed in this package and nowhere before: in the pages of one referral, and in what the API answers. Lists show a
// name and no number, and only to roles that may open a referral. A number is shown after what the person said is safe.
//
// Cookies and API tokens are both sessions of the store; [Handler.Authenticate] turns either into an account. It goes around the routes
// of the campaign desk, too. A browser whose password was right and whose second factor is still to come has a session, and no account: to
// [staff.May] it is nobody. Which pages it may see stands in stageFor. Failures are held against an account together with the address that
// tries (slowdown.go), so that nobody can lock anybody else out.
package desk
