package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"filippo.io/age"

	"github.com/aisoc/cloudflareaudit/internal/files"
	"github.com/aisoc/cloudflareaudit/internal/prefixed"
)

// Vault encrypts and decrypts the secrets of instances, and reads those that
// are kept in files.
type Vault struct {
	identities []age.Identity
	recipient  age.Recipient // nil without a key
	folder     string        // or ""
}

// NewVault returns a vault with keys, the text of an age identity file, and the
// folder of secrets. Either may be empty: without a key no secret can be
// stored, and without a folder none can be referred to. The first key encrypts
// and all of them decrypt, so put a new key before the old one. Text that is
// not a key is an error that shows none of it.
func NewVault(keys, folder string) (*Vault, error) {
	v := &Vault{folder: folder}
	if keys == "" {
		return v, nil
	}
	var err error
	if v.identities, err = age.ParseIdentities(strings.NewReader(keys)); err != nil {
		// The error of the library can repeat parts of the key.
		return nil, prefixed.Errorf("fleet", "the key is no age identity, a line that begins with AGE-SECRET-KEY-")
	}
	switch first := v.identities[0].(type) {
	case *age.X25519Identity:
		v.recipient = first.Recipient()
	case *age.HybridIdentity:
		v.recipient = first.Recipient()
	default:
		return nil, prefixed.Errorf("fleet", "the first key cannot encrypt: it must be one made by cfaudit fleet key or age-keygen")
	}
	return v, nil
}

// NewKey returns a new key for [NewVault]: an age identity, one line that
// begins with AGE-SECRET-KEY-1.
func NewKey() (string, error) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return "", prefixed.Errorf("fleet", "%w", err)
	}
	return key.String(), nil
}

// sealed is what is encrypted. The id is in it so that the secrets of one
// instance cannot be put into the row of another.
type sealed struct {
	ID     string            `json:"id"`
	Fields map[string]string `json:"fields"`
}

var errNoKey = errors.New("there is no key to encrypt the secrets with; give one, or refer to files in the folder of secrets")

// seal encrypts the secrets of an instance. Without any it returns nil.
func (v *Vault) seal(id string, fields map[string]string) ([]byte, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	if v.recipient == nil {
		return nil, errNoKey
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, v.recipient)
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(w).Encode(sealed{id, fields}); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// open decrypts what seal has made.
func (v *Vault) open(id string, secrets []byte) (map[string]string, error) {
	if len(secrets) == 0 {
		return nil, nil
	}
	if len(v.identities) == 0 {
		return nil, ErrNoKey
	}
	r, err := age.Decrypt(bytes.NewReader(secrets), v.identities...)
	if err != nil {
		return nil, errors.New("no key decrypts the secrets: they were stored with another one")
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, errors.New("the stored secrets are damaged")
	}
	var s sealed
	if err := json.Unmarshal(text, &s); err != nil || s.ID != id {
		return nil, errors.New("the stored secrets are those of another instance")
	}
	return s.Fields, nil
}

// secretName is the form of the name of a file in the folder of secrets. Its
// length is not in the pattern, because a repetition is slow to compile.
var secretName = regexp.MustCompile(`^[0-9A-Za-z_-][0-9A-Za-z._-]*$`)

const maxSecretName = 253

// read reads a file in the folder of secrets. A line break at its end is not
// part of the secret. The name may be a secret that was given in its place, so
// it is not repeated.
func (v *Vault) read(name string) (string, error) {
	if len(name) > maxSecretName || !secretName.MatchString(name) {
		return "", errors.New("must be the name of a file in the folder of secrets, of letters, digits, dots, - and _")
	}
	if v.folder == "" {
		return "", errors.New("refers to a file, but no folder of secrets is given")
	}
	root, err := os.OpenRoot(v.folder)
	if err != nil {
		return "", fmt.Errorf("cannot open the folder of secrets: %w", err)
	}
	defer root.Close()
	text, err := readPrivate(root, name)
	if exposed, ok := errors.AsType[*files.ExposedError](err); ok {
		return "", exposed
	}
	if err != nil {
		return "", fmt.Errorf("cannot read the file in the folder of secrets: %w", cause(err))
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 {
		return "", errors.New("the file in the folder of secrets is empty")
	}
	return string(text), nil
}

// readPrivate reads a file that other users must not read.
func readPrivate(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := files.CheckPrivate(f); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

// cause is err without the name of a file.
func cause(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}
