package api

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

//go:embed README.md
var readme []byte

// Page is README.md in the pages' own style.
func Page() (template.HTML, error) {
	md := goldmark.New(goldmark.WithExtensions(extension.NewTable()),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(blocks{}, 100))))
	doc := md.Parser().Parse(text.NewReader(readme))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if class := classOf(n); entering && class != "" {
			n.SetAttributeString("class", []byte(class))
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return "", fmt.Errorf("read README.md: %w", err)
	}
	var b bytes.Buffer
	if err := md.Renderer().Render(&b, readme, doc); err != nil {
		return "", fmt.Errorf("draw README.md: %w", err)
	}
	return template.HTML(b.String()), nil //nolint:gosec // our own file, compiled in
}

// classOf is the look of a part.
func classOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Heading:
		return map[int]string{1: "nhsuk-heading-xl", 2: "nhsuk-heading-l"}[n.Level]
	case *ast.List:
		return "nhsuk-list nhsuk-list--bullet"
	case *tables.Table:
		return "nhsuk-table"
	case *tables.TableHeader:
		return "nhsuk-table__head"
	case *tables.TableCell:
		if _, head := n.Parent().(*tables.TableHeader); head {
			return "nhsuk-table__header"
		}
		return "nhsuk-table__cell"
	}
	return ""
}

// blocks draws code such that a narrow screen scrolls it and not the page, by keyboard too.
type blocks struct{}

// RegisterFuncs is goldmark's.
func (blocks) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindFencedCodeBlock, block)
	r.Register(ast.KindCodeBlock, block)
}

func block(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	number := 1
	for before := n.PreviousSibling(); before != nil; before = before.PreviousSibling() {
		if k := before.Kind(); k == ast.KindFencedCodeBlock || k == ast.KindCodeBlock {
			number++
		}
	}
	fmt.Fprintf(w, `<div class="wp-scroll nhsuk-u-margin-bottom-4" tabindex="0" role="region" aria-label="Example %d"><pre><code>`, number)
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		template.HTMLEscape(w, line.Value(source))
	}
	_, _ = w.WriteString("</code></pre></div>\n")
	return ast.WalkContinue, nil
}
