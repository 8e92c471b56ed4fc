package text

// WordSet is a set of words to search texts for at once, in any case. The words
// have at least two bytes and are given in lower case.
type WordSet struct {
	words []string
	// starting has the words by their first two bytes, so that at most
	// positions of a text there is none to compare.
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

// In reports whether s contains one of the words.
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
