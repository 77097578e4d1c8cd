package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
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
