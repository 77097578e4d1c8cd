//go:build unix

package emulator

import (
	"os"
	"syscall"
)

// lock keeps a second process off the journal. The kernel drops it when the process dies.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
