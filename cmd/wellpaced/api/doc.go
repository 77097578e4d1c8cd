// Package api holds what is true of every call of /api/v1, whichever desk answers it: keys by which a call can be sent again, the description
// in one document, and the page that tells other people's programmers how it all works. That page is README.md, with its example client: tests
// run the program and the lines for a shell against the server.
package api
