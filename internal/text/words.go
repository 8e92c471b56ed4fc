package text

// WordSet is words to be looked for in texts, in any case, many at a time. They
// have two bytes or more and are given in lower case.
type WordSet struct {
	words []string
	// starting has the words by the place of their first two bytes, so that in
	// most places of a text there is none to compare.
	starting [1 << 10][]string
}

// NewWordSet makes a set of words.
func NewWordSet(words ...string) *WordSet {
	w := &WordSet{words: words}
	for _, word := range words {
		at := twoBytes(word[0], word[1])
		w.starting[at] = append(w.starting[at], word)
	}
	return w
}

// Words lists the words of the set.
func (w *WordSet) Words() []string { return w.words }

// twoBytes is a place for two bytes. Letters have the same one in either case.
func twoBytes(a, b byte) int { return int(a&31)<<5 | int(b&31) }

// In reports whether one of the words stands in s.
func (w *WordSet) In(s string) bool {
	for i := 1; i < len(s); i++ {
		for _, word := range w.starting[twoBytes(s[i-1], s[i])] {
			if FoldPrefix(s[i-1:], word) {
				return true
			}
		}
	}
	return false
}
