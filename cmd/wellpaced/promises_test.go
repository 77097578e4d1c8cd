package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// testsOfTheTree gives every test of the repository as folder.Test, and folder.Test/name for each name of a subtest that its file spells out.
func testsOfTheTree(tb testing.TB) map[string]bool {
	tb.Helper()
	const root = "../.."
	all := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		var names, words []string
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names = append(names, filepath.ToSlash(folder)+"."+fn.Name.Name)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil {
					words = append(words, s)
				}
			}
			return true
		})
		for _, name := range names {
			all[name] = true
			for _, w := range words {
				all[name+"/"+w] = true
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

var testName = regexp.MustCompile(`[a-z/]+\.Test\w+(/\w+)?`)

// The documentation of campaign says for each promise which test would fail if it were broken. A test that was renamed or deleted takes its
// promise with it.
func TestPromisesNameTheirTests(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../../campaign/doc.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(f.Doc.Text(), "# What holds, and the test that would fail")
	if !ok {
		t.Fatal("the documentation of campaign says nothing of what holds")
	}
	tests := testsOfTheTree(t)
	promises := strings.Split(section, "  - ")[1:]
	for _, p := range promises {
		words := strings.Join(strings.Fields(p), " ")
		named := testName.FindAllString(words, -1)
		if len(named) == 0 {
			t.Errorf("no test for: %s", words)
		}
		for _, name := range named {
			if !tests[name] {
				t.Errorf("%q names %s, and there is no such test", words, name)
			}
		}
		if rest := strings.Trim(testName.ReplaceAllString(words, ""), " ,"); !strings.HasSuffix(rest, ":") {
			t.Errorf("more than tests after the promise: %s", rest)
		}
	}
	if len(promises) < 30 {
		t.Errorf("only %d promises: the list is not read as it is written", len(promises))
	}
}
