package otelcol

import (
	"errors"
	"fmt"
	"maps"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/aisoc/cloudflareaudit"
)

// Config is the configuration of the receiver. The fields of one account stand at
// its top level; with accounts, they are the defaults of each of them.
type Config struct {
	Account `mapstructure:",squash"`
	// Accounts are the accounts to read. What one leaves out is taken from the
	// top level, such as a token that can read all of them.
	Accounts []Account `mapstructure:"accounts"`
	// Storage names the storage extension that keeps the cursors.
	Storage *component.ID `mapstructure:"storage"`
	// AllowNoStorage lets the receiver run without Storage: after each restart
	// it then reads from initial_lookback on, which repeats records and may
	// skip some.
	AllowNoStorage bool `mapstructure:"allow_no_storage"`
}

// Account is the configuration of one account, with the field names of
// [cloudflareaudit.Connector.Descriptor].
type Account struct {
	// AccountID is the account to read: 32 lower-case hexadecimal digits.
	AccountID string `mapstructure:"account_id"`
	// APIToken is an API token that may read the audit log. It is shown
	// nowhere.
	APIToken configopaque.String `mapstructure:"api_token"`
	// OwnTokenID is the id of the token. Like the two above it has a field of
	// its own, because the collector reads a value that consists of digits as a
	// number.
	OwnTokenID string `mapstructure:"own_token_id"`
	// Fields are all other fields, which [cloudflareaudit.ParseConfig] checks.
	Fields map[string]any `mapstructure:",remain"`
}

var errNoStorage = errors.New("storage: must name a storage extension, such as file_storage, which keeps the position across restarts; " +
	"allow_no_storage: true runs without one, and then each restart repeats or skips entries")

// Validate reports all faults at once, each with the name of its field.
func (c *Config) Validate() error {
	var faults []error
	if c.Storage == nil && !c.AllowNoStorage {
		faults = append(faults, errNoStorage)
	}
	if c.Storage != nil && c.AllowNoStorage {
		faults = append(faults, errors.New("allow_no_storage: must not be set together with storage"))
	}
	_, err := c.connectors()
	return errors.Join(append(faults, err)...)
}

// connectors are the configurations of all accounts, checked.
func (c *Config) connectors() ([]cloudflareaudit.Config, error) {
	if len(c.Accounts) == 0 {
		cfg, err := cloudflareaudit.ParseConfig(c.object())
		return []cloudflareaudit.Config{cfg}, err
	}
	var faults []error
	if c.AccountID != "" {
		faults = append(faults, errors.New("account_id: must not be set beside accounts: add it to the list"))
	}
	all := make([]cloudflareaudit.Config, len(c.Accounts))
	seen := make(map[string]int)
	for i := range c.Accounts {
		object := c.object()
		maps.Copy(object, c.Accounts[i].object())
		cfg, err := cloudflareaudit.ParseConfig(object)
		if first, twice := seen[cfg.AccountID]; err == nil && twice {
			err = fmt.Errorf("account_id: %q: is also that of accounts::%d", cfg.AccountID, first)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("accounts::%d: %w", i, err))
		}
		seen[cfg.AccountID] = i
		all[i] = cfg
	}
	return all, errors.Join(faults...)
}

// object are the fields that are set, as [cloudflareaudit.ParseConfig] takes them.
func (a *Account) object() map[string]any {
	object := maps.Clone(a.Fields)
	if object == nil {
		object = make(map[string]any)
	}
	for field, value := range map[string]string{
		"account_id": a.AccountID, "api_token": string(a.APIToken), "own_token_id": a.OwnTokenID,
	} {
		if value != "" {
			object[field] = value
		}
	}
	return object
}
