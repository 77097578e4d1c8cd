package store

import (
	"context"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// width is what decides how long a text becomes: people with the same one get texts of the same length.
type width struct {
	practice string
	language lang.Code
	shape    string // campaign.NameShape: no name can be told from it
}

// alike are the people of one width: how many, and the first of them.
type alike struct {
	people int
	first  campaign.PatientID
}

// keptLists is how many lists are remembered; one takes some ten kilobytes.
const keptLists = 64

// widths counts the invited of a list by what decides the length of their texts. All of them are opened for it, once: a screened list does
// not change, and what is kept of it in memory names nobody.
func (db *DB) widths(ctx context.Context, a campaign.Audience) (map[width]alike, error) {
	if v, ok := db.estimates.Load(a.ID); ok {
		return v.(map[width]alike), nil
	}
	var sharing map[string]bool
	err := db.read(ctx, "shared numbers", func(tx *Tx) (err error) {
		sharing, err = sharedNumbers(tx, a.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	all, codes := map[width]alike{}, map[string]lang.Code{}
	for after := int64(0); ; {
		people, err := db.invited(ctx, a.ID, after)
		if err != nil {
			return nil, err
		}
		if len(people) == 0 {
			break
		}
		for _, p := range people {
			r := width{practice: p.practice}
			code, known := codes[p.language]
			if !known {
				code, _ = lang.Read(p.language)
				codes[p.language] = code
			}
			if r.language = code; !sharing[string(p.phoneIx)] {
				d, err := db.openPerson("patient", p.id, p.sealed)
				if err != nil {
					return nil, err
				}
				r.shape = campaign.NameShape(d.name())
			}
			k, known := all[r]
			if k.people++; !known {
				k.first = campaign.PatientID(p.id)
			}
			all[r] = k
		}
		after = people[len(people)-1].id
	}
	if a.State == campaign.Screened {
		n := 0
		db.estimates.Range(func(any, any) bool { n++; return true })
		if n >= keptLists {
			db.estimates.Clear()
		}
		db.estimates.Store(a.ID, all)
	}
	return all, nil
}

// EstimateTexts counts what a step's texts come to for all the invited of a list, each in their language and with their name.
func (db *DB) EstimateTexts(ctx context.Context, n staff.NetworkID, list campaign.AudienceID, texts campaign.Texts) (e campaign.Estimate, err error) {
	a, err := db.Audience(ctx, n, list)
	if err != nil {
		return e, err
	}
	network, err := db.Network(ctx, n)
	if err != nil {
		return e, err
	}
	widths, err := db.widths(ctx, a)
	if err != nil {
		return e, err
	}
	token := link.Mint(db.sealer.linkKey(), 0) // all tokens are equally long
	by := map[lang.Code]map[int]int{}          // texts by their parts
	e.In = map[lang.Code]campaign.Sizes{}
	for r, a := range widths {
		k := a.people
		code, template := texts.For(string(r.language))
		size := campaign.Measure(template, r.shape, campaign.Recipient{Practice: practiceOf(network, r.practice), Network: network, Token: token})
		if size.Segments > e.Longest || size.Segments == e.Longest && a.first < e.Dearest { // the same one each time
			e.Dearest = a.first
		}
		e.Add(k, size.Segments)
		in := e.In[code]
		in.Add(k, size.Segments)
		e.In[code] = in
		if by[code] == nil {
			by[code] = map[int]int{}
		}
		by[code][size.Segments] += k
	}
	for _, sizes := range by {
		usual := 0
		for s, k := range sizes {
			if k > sizes[usual] || (k == sizes[usual] && s < usual) {
				usual = s
			}
		}
		for s, k := range sizes {
			if s > usual {
				e.Dear += k
			}
		}
	}
	return e, nil
}

// Speakers counts the invited of a list by the language in which they could be written to. Those whose cell names none that we have stand
// under "".
func (db *DB) Speakers(ctx context.Context, n staff.NetworkID, list campaign.AudienceID) (all map[lang.Code]int, err error) {
	if _, err := db.Audience(ctx, n, list); err != nil {
		return nil, err
	}
	err = db.read(ctx, "languages of a list", func(tx *Tx) error {
		all = map[lang.Code]int{}
		rows, err := tx.Query(`SELECT language, COUNT(*) FROM patient WHERE audience = $1 AND invited = $2 GROUP BY language`, int64(list), true) // see Groups
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var cell string
			var k int
			if err := rows.Scan(&cell, &k); err != nil {
				return err
			}
			code, ok := lang.Read(cell)
			if !ok {
				code = ""
			}
			all[code] += k
		}
		return rows.Err()
	})
	return all, err
}
