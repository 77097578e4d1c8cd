package main

import (
	"os"
	"testing"

	"github.com/wellpaced/wellpaced/store/storetest"
)

// asProgram makes a copy of the test process be the program itself, so that a test can kill it.
const asProgram = "WELLPACED_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(crashAt) != "" {
		crashVictim()
		return
	}
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	storetest.Main(m)
}
