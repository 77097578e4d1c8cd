package text

import (
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Parts cuts a text where the provider cuts it: one string for each part that is paid for. A phone puts them together again.
func Parts(body string) (parts []string) {
	size := Count(body)
	if size.Segments == 1 {
		return []string{body}
	}
	room := segmentBits - headerBits // each of several parts has a header, the first too
	at, used := 0, 0
	take := func(end, start, bits int) {
		if used+bits > room && used > 0 {
			parts = append(parts, body[at:start])
			at, used = start, 0
		}
		used += bits
		if end == len(body) {
			parts = append(parts, body[at:])
		}
	}
	if size.Encoding == GSM7 {
		for start, r := range body {
			take(start+utf8.RuneLen(r), start, 7*gsm(r))
		}
		return parts
	}
	state := -1
	for start, rest := 0, body; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if cluster == "\r\n" { // two characters to the provider
			take(start+1, start, 16)
			take(start+2, start+1, 16)
		} else {
			take(start+len(cluster), start, 16*utf16Len(cluster))
		}
		start += len(cluster)
	}
	return parts
}
