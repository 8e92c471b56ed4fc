package cloudflareaudit

import "github.com/aisoc/cloudflareaudit/internal/text"

func oneLine(s string, n int) string { return text.OneLine(s, n) }

func shorten(s string, n int) string { return text.Shorten(s, n) }

func suggest(name string, known []string) string { return text.Suggest(name, known) }
