// Package jsondoc parses a JSON text once into a table of its values, so that
// later steps (decoding, comparing, masking, writing) read the table instead of
// the text.
//
// A [Doc] is a text with one node for each of its values, in the order of the
// text. A node has the location of its value, the number of nodes below it, and
// the classes of bytes in its text, which often save another look at the text.
// The table of a Doc is reused from text to text.
//
// A text is accepted or refused exactly as by
// [github.com/go-json-experiment/json/jsontext] with AllowInvalidUTF8 and
// AllowDuplicateNames: one invalid byte or one repeated name must not cost a
// page of a thousand entries.
package jsondoc

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// MaxNodes bounds the values of a text, and with it the memory of its table:
	// 24 bytes each.
	MaxNodes = 1 << 19
	// leastNodes is how many values the first table has room for.
	leastNodes = 64
	// maxDepth is how deep values may nest, as in jsontext.
	maxDepth = 10_000
	// maxLength bounds a text, because nodes hold offsets in 32 bits.
	maxLength = 1 << 30
)

// Kind is the kind of a value: the first byte of its text, with '0' for any
// number. The zero Kind is that of a missing value.
type Kind byte

// The kinds of values.
const (
	Missing Kind = 0
	Null    Kind = 'n'
	False   Kind = 'f'
	True    Kind = 't'
	String  Kind = '"'
	Number  Kind = '0'
	Object  Kind = '{'
	Array   Kind = '['
)

// Class is the set of byte classes in a text.
type Class uint8

// The classes of bytes in strings, as written between the quotes.
const (
	// Escape is a backslash.
	Escape Class = 1 << iota
	// UnicodeEscape is a backslash followed by a u.
	UnicodeEscape
	// Wide is a byte outside ASCII.
	Wide
	// Link is an underscore or a hyphen.
	Link
	// Mark is a colon, an equals sign or a percent sign.
	Mark
	// Upper is a capital letter.
	Upper
	// Brace is an opening brace or bracket.
	Brace
	// Space is a space.
	Space
)

// SyntaxError says why a text is not JSON. It does not repeat any of the text.
type SyntaxError struct {
	// Offset is the byte at which it stops being JSON.
	Offset int
	// Reason is the fault there.
	Reason string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("not JSON at byte %d: %s", e.Offset, e.Reason)
}

// node is one value. Offsets are those of the text the table was made of.
type node struct {
	start, end uint32 // of the value
	name       uint32 // where the content of the name begins, for members
	nameLen    uint32
	size       uint32 // how many nodes the value has, itself included
	kind       Kind
	class      Class // of a string, or of all below an object or array
	nameClass  Class
	replaced   bool // see Doc.Replace
}

// Doc is a JSON text and the table of its values. The zero Doc has none; Parse
// fills it in. A Doc is not safe for concurrent use.
type Doc struct {
	src  string
	base uint32 // the offset of src in the text the table was made of
	// nodes is the table. A detached value shares part of the table of another
	// Doc.
	nodes    []node
	open     []uint32 // the parser's stack of open objects and arrays
	deepest  int
	class    Class
	literals []string
	replaced []replacement
	inner    []innerDoc // of texts that hold JSON, in use, in the order of their nodes
	spare    []*Doc     // and waiting
}

// replacement is the text written instead of a node.
type replacement struct {
	node int32
	text string
}

// Parse fills d with the table of src, which must be one JSON value with
// nothing but white space around it. Strings returned by values share the
// memory of src.
//
// On an error, a [SyntaxError] or [io.ErrUnexpectedEOF], the table holds the
// values before the fault, as if every object and array ended there.
func (d *Doc) Parse(src string) error {
	n, err := d.ParsePrefix(src)
	if err != nil {
		return err
	}
	if n = skipSpace(src, n); n < len(src) {
		return &SyntaxError{n, "something follows the value"}
	}
	return nil
}

// ParsePrefix is Parse for a value that other text may follow. It returns the
// end of the value. A number that ends with src counts as complete.
func (d *Doc) ParsePrefix(src string) (n int, err error) {
	d.Reset()
	d.src = src
	if len(src) > maxLength {
		return 0, &SyntaxError{maxLength, "the text is too long"}
	}
	n, err = d.parse()
	if err != nil {
		d.closeAll(n)
	}
	return n, err
}

// Reset empties d and keeps its memory for the next text.
func (d *Doc) Reset() {
	d.src, d.base, d.deepest, d.class = "", 0, 0, 0
	d.nodes, d.open = d.nodes[:0], d.open[:0]
	d.forget()
}

// forget empties the fields of d other than the table.
func (d *Doc) forget() {
	clear(d.literals)
	clear(d.replaced)
	d.literals, d.replaced = d.literals[:0], d.replaced[:0]
	for _, in := range d.inner {
		in.doc.Reset()
		d.spare = append(d.spare, in.doc)
	}
	d.inner = d.inner[:0]
}

// Root is the root value of d, or the missing value.
func (d *Doc) Root() Value {
	if len(d.nodes) == 0 {
		return Value{}
	}
	return Value{d, 0}
}

// Source is the text of d.
func (d *Doc) Source() string { return d.src }

// Class is the union of the classes of all names and strings.
func (d *Doc) Class() Class { return d.class }

// Depth is how deep objects and arrays nest: 0 for a text or a number.
func (d *Doc) Depth() int { return d.deepest }

// Literal makes a value of a text that is not in the source. It is valid until
// the next Parse.
func (d *Doc) Literal(text string) Value {
	d.literals = append(d.literals, text)
	return Value{d, -int32(len(d.literals))}
}

// Replace replaces v by text: from now on v is a string with this text, and
// AppendJSON writes it so. Values below v are gone. A value may be replaced again.
func (d *Doc) Replace(v Value, text string) {
	if v.d != d || v.i < 0 {
		return
	}
	d.nodes[v.i].replaced = true
	at, found := d.findReplaced(v.i)
	if found {
		d.replaced[at].text = text
		return
	}
	d.replaced = slices.Insert(d.replaced, at, replacement{v.i, text})
}

// Replaced counts the values that were replaced.
func (d *Doc) Replaced() int { return len(d.replaced) }

// replacementOf is the replacement of a node.
func (d *Doc) replacementOf(i int32) string {
	if at, found := d.findReplaced(i); found {
		return d.replaced[at].text
	}
	return ""
}

// findReplaced is the index of the replacement of a node, or where to insert
// it: they are sorted, because an entry may have many.
func (d *Doc) findReplaced(i int32) (at int, found bool) {
	return slices.BinarySearchFunc(d.replaced, i, func(r replacement, i int32) int { return cmp.Compare(r.node, i) })
}

// Inner is the JSON object or array that a string holds, parsed only once. It
// is the missing value when v is no string or holds none. The value is one of
// another Doc, see [Value.Doc], and valid until v's Doc is parsed again.
func (v Value) Inner() Value {
	if v.Kind() != String || !v.mayHoldJSON() {
		return Value{}
	}
	d := v.d
	at, found := d.findInner(v.i)
	if found && !v.isReplaced() {
		return d.inner[at].doc.Root()
	}
	var doc *Doc
	if n := len(d.spare); n > 0 {
		doc, d.spare = d.spare[n-1], d.spare[:n-1]
	} else {
		doc = new(Doc)
	}
	d.inner = slices.Insert(d.inner, at, innerDoc{v.i, doc})
	err := doc.Parse(strings.TrimSpace(v.Text()))
	if k := doc.Root().Kind(); err != nil || k != Object && k != Array {
		doc.nodes = doc.nodes[:0] // it has no root
	}
	return doc.Root()
}

// ParsedInner is Inner if that was asked for before, and otherwise the missing value.
func (v Value) ParsedInner() Value {
	if v.d == nil || v.isReplaced() {
		return Value{}
	}
	at, found := v.d.findInner(v.i)
	if !found {
		return Value{}
	}
	return v.d.inner[at].doc.Root()
}

func (d *Doc) findInner(i int32) (at int, found bool) {
	return slices.BinarySearchFunc(d.inner, i, func(in innerDoc, i int32) int { return cmp.Compare(in.node, i) })
}

// innerDoc is the Doc of the JSON in a string.
type innerDoc struct {
	node int32
	doc  *Doc
}

// mayHoldJSON reports whether a string begins as an object or an array does.
func (v Value) mayHoldJSON() bool {
	text := v.Source()
	if v.i < 0 || v.isReplaced() {
		text = v.Text()
	} else {
		text = text[1:]
	}
	if text = strings.TrimLeft(text, " "); text == "" {
		return false
	}
	// White space other than spaces is written in escapes.
	return text[0] == '{' || text[0] == '[' || text[0] == '\\' || text[0] <= ' '
}

func (v Value) isReplaced() bool { return v.i >= 0 && v.node().replaced }

// Doc is the Doc that v is a value of, or nil for the missing value.
func (v Value) Doc() *Doc { return v.d }

// Detach makes into a Doc of v alone, in memory of its own but for the table,
// which it shares with v's Doc until that is parsed again.
func (v Value) Detach(into *Doc) {
	v.View(into)
	into.src = strings.Clone(into.src)
}

// View makes into a Doc of v alone. It shares all its memory with v's Doc, and is
// valid until that is parsed again.
func (v Value) View(into *Doc) {
	into.forget()
	if v.d == nil || v.i < 0 {
		into.Reset()
		return
	}
	n := &v.d.nodes[v.i]
	into.src = v.Source()
	into.base = n.start
	into.nodes = v.d.nodes[v.i : uint32(v.i)+n.size : uint32(v.i)+n.size]
	into.class = n.class
	if into.deepest = v.d.deepest; into.deepest > shallow {
		into.deepest = into.depth()
	}
}

// shallow is a depth below every limit, so that the depth of a part of a text
// need not be computed exactly.
const shallow = 64

// depth is how deep the objects and arrays in the table nest.
func (d *Doc) depth() int {
	deepest := 0
	var ends []uint32 // of the objects and arrays around a node
	for i := range d.nodes {
		n := &d.nodes[i]
		for len(ends) > 0 && ends[len(ends)-1] <= uint32(i) {
			ends = ends[:len(ends)-1]
		}
		if n.kind == Object || n.kind == Array {
			ends = append(ends, uint32(i)+n.size)
			deepest = max(deepest, len(ends))
		}
	}
	return deepest
}

// Value is one value of a Doc. The zero Value is the missing one. It is valid
// until its Doc is parsed again.
type Value struct {
	d *Doc
	i int32 // of the node, or below zero that of a literal
}

// Exists reports whether there is a value, null included.
func (v Value) Exists() bool { return v.d != nil }

func (v Value) node() *node { return &v.d.nodes[v.i] }

// Kind is the kind of v.
func (v Value) Kind() Kind {
	switch {
	case v.d == nil:
		return Missing
	case v.i < 0 || v.node().replaced:
		return String
	}
	return v.node().kind
}

// Class is the union of the classes of the strings in v, names included. If a
// class is missing, no string in v has such a byte.
func (v Value) Class() Class {
	if v.d == nil || v.i < 0 {
		return 0
	}
	return v.node().class
}

// NameClass is the class of v's name.
func (v Value) NameClass() Class {
	if v.d == nil || v.i < 0 {
		return 0
	}
	return v.node().nameClass
}

// Name is the name of a member of an object, and "" for any other value.
func (v Value) Name() string {
	if v.d == nil || v.i < 0 {
		return ""
	}
	n := v.node()
	if n.nameLen == 0 {
		return ""
	}
	at := n.name - v.d.base
	name := v.d.src[at : at+n.nameLen]
	if n.nameClass&Escape != 0 {
		// The literal has a quote on either side.
		return unquote(v.d.src[at-1:at+n.nameLen+1], n.nameClass)
	}
	return name
}

// Source is v as in the text, regardless of replacements, or "" for the missing
// value and for a literal.
func (v Value) Source() string {
	if v.d == nil || v.i < 0 {
		return ""
	}
	n := v.node()
	return v.d.src[n.start-v.d.base : n.end-v.d.base]
}

// Len is the length of Source.
func (v Value) Len() int {
	if v.d == nil || v.i < 0 {
		return 0
	}
	n := v.node()
	return int(n.end - n.start)
}

// Text is v as text: the content of a string, a number or boolean as written,
// and "" for null, an object or array, and the missing value. NUL characters are
// removed, because no consumer of an event expects one.
func (v Value) Text() string {
	if v.d == nil {
		return ""
	}
	if v.i < 0 {
		return v.d.literals[-v.i-1]
	}
	n := v.node()
	if n.replaced {
		return v.d.replacementOf(v.i)
	}
	switch n.kind {
	case String:
		s := v.d.src[n.start-v.d.base : n.end-v.d.base]
		if n.class&Escape != 0 {
			return unquote(s, n.class)
		}
		return s[1 : len(s)-1]
	case Number, True, False:
		return v.d.src[n.start-v.d.base : n.end-v.d.base]
	}
	return ""
}

// unquote is the content of a string literal that has an escape in it, and bytes
// of the class.
func unquote(literal string, class Class) string {
	if class&(UnicodeEscape|Wide) == 0 {
		return unescape(literal[1 : len(literal)-1])
	}
	// The only error is invalid UTF-8, which AppendUnquote has replaced.
	b, _ := jsontext.AppendUnquote(make([]byte, 0, len(literal)), literal)
	return strings.ReplaceAll(string(b), "\x00", "")
}

// unescape is a text without its escapes, none of which is a \u.
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			b = append(b, s...)
			return unsafe.String(unsafe.SliceData(b), len(b))
		}
		b = append(append(b, s[:i]...), plainOf[s[i+1]])
		s = s[i+len(`\n`):]
	}
}

// plainOf are the characters that simple escapes denote, by the character after
// the backslash. None denotes NUL.
var plainOf = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// Same reports whether v and w are written alike, or are both missing.
func (v Value) Same(w Value) bool {
	if v.d == nil || w.d == nil {
		return v.d == w.d
	}
	if v.i < 0 || w.i < 0 {
		return v.Kind() == w.Kind() && v.Text() == w.Text()
	}
	return v.Source() == w.Source()
}

// All returns the members of an object or the elements of an array, in order.
// Of any other value there are none.
func (v Value) All() func(yield func(Value) bool) {
	return func(yield func(Value) bool) {
		if k := v.Kind(); k != Object && k != Array {
			return
		}
		nodes := v.d.nodes
		end := v.i + int32(nodes[v.i].size)
		for i := v.i + 1; i < end; i += int32(nodes[i].size) {
			if !yield(Value{v.d, i}) {
				return
			}
		}
	}
}

// AnyText reports whether test holds for the content, as written, of any string or
// name in v of at least a length, and for its classes.
func (v Value) AnyText(length int, test func(raw string, class Class) bool) bool {
	if v.d == nil || v.i < 0 {
		return false
	}
	d := v.d
	nodes := d.nodes[v.i : uint32(v.i)+v.node().size]
	for i := range nodes {
		n := &nodes[i]
		if n.kind == String && n.end-n.start >= uint32(length+len(`""`)) && test(d.src[n.start-d.base+1:n.end-d.base-1], n.class) {
			return true
		}
		if i > 0 && n.nameLen >= uint32(length) && test(d.src[n.name-d.base:n.name-d.base+n.nameLen], n.nameClass) {
			return true
		}
	}
	return false
}

// First is the first member or element of v, or the missing value.
func (v Value) First() Value {
	if k := v.Kind(); k != Object && k != Array || v.node().size == 1 {
		return Value{}
	}
	return Value{v.d, v.i + 1}
}

// Sole is the member or element of v that has no other beside it, or the missing
// value.
func (v Value) Sole() Value {
	first := v.First()
	if !first.Exists() || first.i+int32(first.node().size) < v.i+int32(v.node().size) {
		return Value{}
	}
	return first
}

// Get is the member of an object that path leads to, or the missing value. Of a
// repeated name the last one counts.
func (v Value) Get(path ...string) Value {
	for _, name := range path {
		v = v.member(name)
	}
	return v
}

func (v Value) member(name string) Value {
	var found Value
	if v.Kind() != Object {
		return found
	}
	for m := range v.All() {
		if m.Name() == name {
			found = m
		}
	}
	return found
}

// AppendJSON appends v as in the text, with replacements written as strings.
func (v Value) AppendJSON(b []byte) []byte {
	if v.d == nil {
		return b
	}
	d := v.d
	if v.i < 0 {
		return appendQuoted(b, v.Text())
	}
	n := v.node()
	if n.replaced {
		return appendQuoted(b, d.replacementOf(v.i))
	}
	if len(d.replaced) == 0 {
		return append(b, v.Source()...)
	}
	done := n.start
	last := v.i + int32(n.size)
	for i := v.i + 1; i < last; i++ {
		if m := &d.nodes[i]; m.replaced {
			b = append(b, d.src[done-d.base:m.start-d.base]...)
			b = appendQuoted(b, d.replacementOf(i))
			done = m.end
			i += int32(m.size) - 1
		}
	}
	return append(b, d.src[done-d.base:n.end-d.base]...)
}

// Quote is text as a JSON string. Invalid UTF-8 becomes U+FFFD.
func Quote(text string) string { return string(appendQuoted(nil, text)) }

func appendQuoted(b []byte, text string) []byte {
	// The only error is invalid UTF-8, which AppendQuote has replaced.
	b, _ = jsontext.AppendQuote(b, text)
	return b
}

// stop marks a byte that ends the plain part of a string, among the classes in
// table.
const stop = 1 << 15

// table has the class of each byte, and whether it is a stop.

var table = func() (t [256]uint16) {
	for c := range t {
		switch {
		case c < ' ', c == '"':
			t[c] = stop
		case c == '\\':
			t[c] = stop | uint16(Escape)
		case c >= 0x80:
			t[c] = uint16(Wide)
		case c == '_', c == '-':
			t[c] = uint16(Link)
		case c == ':', c == '=', c == '%':
			t[c] = uint16(Mark)
		case 'A' <= c && c <= 'Z':
			t[c] = uint16(Upper)
		case c == '{', c == '[':
			t[c] = uint16(Brace)
		case c == ' ':
			t[c] = uint16(Space)
		}
	}
	return t
}()

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// grow makes room in the table. append alone would grow a large one by a quarter
// each time, and leave several times its size to the collector.
func (d *Doc) grow() {
	more := max(leastNodes, len(d.nodes))
	if more > 1<<15 {
		more *= 3
	}
	d.nodes = slices.Grow(d.nodes, min(more, MaxNodes-len(d.nodes)))
}

// parse reads the value that d.src begins with and returns its end, or the
// offset at which it stops being JSON.
func (d *Doc) parse() (int, error) {
	s := d.src
	i := skipSpace(s, 0)
	var of member
	for {
		// A value begins at i.
		n := node{start: uint32(i), name: of.name, nameLen: of.length, nameClass: of.class, size: 1}
		class := of.class
		of = member{}
		if i >= len(s) {
			return i, io.ErrUnexpectedEOF
		}
		if len(d.nodes) >= MaxNodes {
			return i, &SyntaxError{i, "there are too many values"}
		}
		if len(d.nodes) == cap(d.nodes) {
			d.grow()
		}
		switch c := s[i]; c {
		case '{', '[':
			if len(d.open) >= maxDepth {
				return i, &SyntaxError{i, "values are nested too deeply"}
			}
			n.kind = Kind(c)
			d.open = append(d.open, uint32(len(d.nodes)))
			d.nodes = append(d.nodes, n)
			d.deepest = max(d.deepest, len(d.open))
			i = skipSpace(s, i+1)
			switch {
			case i >= len(s):
				return i, io.ErrUnexpectedEOF
			case s[i] == c+2: // in ASCII the closing one is two after the opening one
				class = 0 // added when the end is found
			case c == '[':
				continue
			default:
				var err error
				if of, i, err = memberAt(s, i); err != nil {
					return i, err
				}
				continue
			}
		case '"':
			end, inside, err := stringEnd(s, i)
			if err != nil {
				return end, err
			}
			n.kind, n.end, n.class = String, uint32(end), inside
			class |= inside
			d.nodes = append(d.nodes, n)
			i = end
		default:
			end, err := scalarEnd(s, i)
			if err != nil {
				return end, err
			}
			n.kind, n.end = kindOf(c), uint32(end)
			d.nodes = append(d.nodes, n)
			i = end
		}
		// A value has ended before i, or an empty one ends at i.
		for {
			if len(d.open) == 0 {
				d.class |= class
				return i, nil
			}
			if i < len(s) && s[i] <= ' ' {
				i = skipSpace(s, i)
			}
			if i >= len(s) {
				return i, io.ErrUnexpectedEOF
			}
			at := d.open[len(d.open)-1]
			in := &d.nodes[at]
			in.class |= class
			if s[i] == byte(in.kind)+2 {
				i++
				in.end, in.size = uint32(i), uint32(len(d.nodes))-at
				class = in.class | in.nameClass
				d.open = d.open[:len(d.open)-1]
				continue
			}
			if s[i] != ',' {
				return i, &SyntaxError{i, "a comma or the end of the list is missing"}
			}
			if i++; i < len(s) && s[i] <= ' ' {
				i = skipSpace(s, i)
			}
			if in.kind == Object {
				var err error
				if of, i, err = memberAt(s, i); err != nil {
					return i, err
				}
			}
			break
		}
	}
}

// member is the name of a member: where its content stands.
type member struct {
	name, length uint32
	class        Class
}

// memberAt reads the name of a member at i, and the colon after it. It returns
// the start of the value.
func memberAt(s string, i int) (m member, next int, err error) {
	if i >= len(s) {
		return m, i, io.ErrUnexpectedEOF
	}
	if s[i] != '"' {
		return m, i, &SyntaxError{i, "the name of a member is missing"}
	}
	end, class, err := stringEnd(s, i)
	if err != nil {
		return m, end, err
	}
	m = member{uint32(i + 1), uint32(end - i - 2), class}
	if i = end; i < len(s) && s[i] <= ' ' {
		i = skipSpace(s, i)
	}
	if i >= len(s) {
		return m, i, io.ErrUnexpectedEOF
	}
	if s[i] != ':' {
		return m, i, &SyntaxError{i, "a colon is missing"}
	}
	if i++; i < len(s) && s[i] <= ' ' {
		i = skipSpace(s, i)
	}
	return m, i, nil
}

// stringEnd is where the string at i ends, and the classes of what is in it.
func stringEnd(s string, i int) (int, Class, error) {
	var seen uint16
	for i++; i < len(s); {
		for i+4 <= len(s) {
			first := table[s[i]]
			four := first | table[s[i+1]] | table[s[i+2]] | table[s[i+3]]
			if four&stop == 0 {
				seen |= four
				i += 4
				continue
			}
			for first&stop == 0 { // one of the four is a stop
				seen |= first
				i++
				first = table[s[i]]
			}
			if s[i] != '\\' || i+1 == len(s) || plainOf[s[i+1]] == 0 {
				break
			}
			seen |= first
			i += len(`\n`)
		}
		if i == len(s) {
			break
		}
		c := s[i]
		seen |= table[c]
		switch {
		case table[c]&stop == 0:
			i++
			continue
		case c == '"':
			return i + 1, Class(seen), nil
		case c != '\\':
			return i, 0, &SyntaxError{i, "a string has a control character in it"}
		}
		n, err := escapeLength(s, i)
		if err != nil {
			return i, 0, err
		}
		if n > 2 {
			seen |= uint16(UnicodeEscape)
		}
		i += n
	}
	return len(s), 0, io.ErrUnexpectedEOF
}

// escapeLength is how long the escape at i is.
func escapeLength(s string, i int) (int, error) {
	if i+1 >= len(s) {
		return 0, io.ErrUnexpectedEOF
	}
	switch c := s[i+1]; {
	case plainOf[c] != 0:
		return 2, nil
	case c == 'u':
		for j := i + 2; j < i+6; j++ {
			if j >= len(s) {
				return 0, io.ErrUnexpectedEOF
			}
			if c := s[j] | 0x20; (c < '0' || c > '9') && (c < 'a' || c > 'f') || s[j] < '0' {
				return 0, &SyntaxError{i, "a string has an invalid escape in it"}
			}
		}
		return 6, nil
	}
	return 0, &SyntaxError{i, "a string has an invalid escape in it"}
}

// kindOf is the kind of a value that is not a string, object or array.
func kindOf(c byte) Kind {
	switch c {
	case 't', 'f', 'n':
		return Kind(c)
	}
	return Number
}

// scalarEnd is where the number, boolean or null at i ends.
func scalarEnd(s string, i int) (int, error) {
	switch s[i] {
	case 't':
		return wordEnd(s, i, "true")
	case 'f':
		return wordEnd(s, i, "false")
	case 'n':
		return wordEnd(s, i, "null")
	}
	return numberEnd(s, i)
}

func wordEnd(s string, i int, word string) (int, error) {
	if strings.HasPrefix(s[i:], word) {
		return i + len(word), nil
	}
	if strings.HasPrefix(word, s[i:]) {
		return len(s), io.ErrUnexpectedEOF
	}
	return i, &SyntaxError{i, "a value is missing or invalid"}
}

// numberEnd is where the number at i ends.
func numberEnd(s string, i int) (int, error) {
	start := i
	if s[i] == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			i++
		}
		return i > from
	}
	switch {
	case i < len(s) && s[i] == '0':
		i++
	case !digits():
		return numberFault(s, i, start)
	}
	if i < len(s) && s[i] == '.' {
		if i++; !digits() {
			return numberFault(s, i, start)
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return numberFault(s, i, start)
		}
	}
	return i, nil
}

func numberFault(s string, i, start int) (int, error) {
	if i >= len(s) {
		return i, io.ErrUnexpectedEOF
	}
	if i == start {
		return i, &SyntaxError{i, "a value is missing or invalid"}
	}
	return i, &SyntaxError{i, "a digit is missing in a number"}
}

// closeAll ends every object and array that is open at end, where the text
// stopped being JSON.
func (d *Doc) closeAll(end int) {
	for len(d.open) > 0 {
		at := d.open[len(d.open)-1]
		in := &d.nodes[at]
		in.end, in.size = uint32(min(end, len(d.src))), uint32(len(d.nodes))-at
		d.open = d.open[:len(d.open)-1]
	}
}
