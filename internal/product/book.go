package product

import (
	"maps"
	"slices"
	"sync"

	"github.com/aisoc/cloudflareaudit/rules"
)

// Rules is the book of the default rules.
var Rules = sync.OnceValue(func() *rules.Book {
	prepare()
	book, err := rules.NewBook(defaultRules(), rules.Vocabulary{
		Actions: slices.Collect(maps.Keys(known.namings)),
		Verb:    verbOf,
		Words:   wordsOfAction,
	})
	if err != nil {
		panic("product: " + err.Error()) // a test holds the rules to be sound
	}
	return book
})
