package text

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// shorteners are hosts that hide where a link leads. Networks block texts with them, and people are warned of them.
var shorteners = []string{
	"bit.ly", "tinyurl.com", "t.co", "goo.gl", "is.gd", "ow.ly", "buff.ly", "rebrand.ly", "cutt.ly", "tiny.cc", "rb.gy", "shorturl.at", "twil.io", "lnkd.in",
	"t.ly", "v.gd", "s.id", "qr.ly", "bl.ink", "bitly.com", "j.mp", "short.io", "shorturl.com", "soo.gd", "clck.ru", "u.to", "x.gd", "t2m.io", "dub.sh", "snip.ly", "urlz.fr",
	"tny.im", "adf.ly", "bc.vc", "lc.cx", "2no.co", "hyperurl.co", "shorte.st",
}

var reShortener = regexp.MustCompile(`(?i)(^|[^a-z0-9.-])(www\.)?(` + strings.ReplaceAll(strings.Join(shorteners, "|"), ".", `\.`) + `)($|[^a-z0-9.-])`)

// CheckHost says why links that begin with a scheme and a host should not be in a text; the sentence is for whoever set it.
func CheckHost(host string) error {
	u, err := url.Parse(host)
	switch {
	case host == "":
		return errors.New("your network has no address for the links in texts: set it, with its own domain")
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
		return fmt.Errorf("links in texts would begin with “%s”: set your network's link host to https:// and a domain, and nothing more", host)
	case u.Scheme != "https":
		return fmt.Errorf("links in texts would begin with “%s”: they have to begin with https://, so that nobody can read or change what people send", host)
	}
	name := strings.TrimPrefix(strings.ToLower(u.Hostname()), "www.")
	if slices.Contains(shorteners, name) {
		return fmt.Errorf("“%s” is a link shortener: use your network's own domain, which people can check", name)
	}
	if net.ParseIP(name) != nil || !strings.Contains(name, ".") {
		return fmt.Errorf("links in texts would begin with “%s”: use a domain that people can read and check", host)
	}
	return nil
}

var (
	// reSender is what phones can show in place of a number.
	reSender        = regexp.MustCompile(`^[A-Za-z0-9 &._-]{1,11}$`)
	reService       = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)
	genericSenders  = []string{"info", "alert", "alerts", "verify", "sms", "notice", "message", "msg", "text", "update", "service", "health", "doctor", "surgery"}
	reSenderAcronym = regexp.MustCompile(`^[A-Z]{2,4}$`)
)

// CheckSender gives advice on the name that a text comes from. A number, a messaging service, or none, is left alone.
func CheckSender(sender string) (out []Advice) {
	name := strings.TrimSpace(sender)
	if name == "" || strings.Trim(name, "+0123456789 ") == "" || reService.MatchString(name) {
		return nil
	}
	switch {
	case !reSender.MatchString(name):
		out = append(out, Advice{"sender_unsendable", "Phones cannot show “" + name + "” as the sender: use at most 11 letters, digits and spaces."})
	case slices.Contains(genericSenders, strings.ToLower(name)):
		out = append(out, Advice{"sender_generic", "Networks block “" + name + "” as a sender, because anybody could be it: use the name that patients know."})
	case reSenderAcronym.MatchString(name) && name != "NHS":
		out = append(out, Advice{"sender_unknown", "Most patients do not know who “" + name + "” is: use a name that they would recognise."})
	}
	return out
}
