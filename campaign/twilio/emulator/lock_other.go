//go:build !unix

package emulator

import "os"

func lock(*os.File) error { return nil }
