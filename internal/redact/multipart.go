package redact

import "strings"

// isMultipart reports whether a text is a form in parts, as uploads are.
func isMultipart(s string) bool {
	return strings.HasPrefix(s, "--") && strings.Contains(s, "ontent-") && strings.Contains(s, "isposition:")
}

// multipart masks the secrets in a form in parts. Each part is judged by its name,
// and its content like any other text.
func (m *masker) multipart(s string) string {
	boundary, _, _ := strings.Cut(s, "\n")
	boundary = strings.TrimRight(boundary, "\r")
	parts := strings.Split(s, boundary)
	for i, part := range parts {
		parts[i] = m.part(part)
	}
	return strings.Join(parts, boundary)
}

// part masks a part of a form, or the secrets in it.
func (m *masker) part(s string) string {
	blank := "\r\n\r\n"
	head, content, found := strings.Cut(s, blank)
	if !found {
		blank = "\n\n"
		head, content, _ = strings.Cut(s, blank)
	}
	body := strings.TrimRight(content, "\r\n")
	if body == "" {
		return s
	}
	_, name, _ := strings.Cut(head, `name="`)
	name, _, _ = strings.Cut(name, `"`)
	secret := no
	switch {
	case isSecretMember(name):
		secret = certain
	case m.Values && IsValue(name):
		secret = possible
	}
	return head + blank + m.content(body, secret) + content[len(body):]
}
