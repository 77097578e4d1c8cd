package suppress

import "flag"

// The same draws in every run, unless the command line gives another -rapid.seed; and no files left in the tree.
func init() {
	for name, value := range map[string]string{"rapid.seed": "20260601", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
}
