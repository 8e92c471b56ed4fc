package ingest_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/aisoc/cloudflareaudit/ingest"
)

func descriptor(id string) ingest.Descriptor {
	return ingest.Descriptor{
		ConnectorID:   id,
		ConnectorName: "Example",
		Category:      "saas",
		Fields: []ingest.Field{
			{Name: "account_id", Type: ingest.FieldString, Label: "Account", Required: true},
			{Name: "api_token", Type: ingest.FieldSecret, Label: "Token", Required: true},
			{Name: "region", Type: ingest.FieldSelect, Options: []ingest.Option{{Value: "eu", Label: "EU"}}},
			{Name: "note", Type: ingest.FieldTextarea},
			{Name: "reads", Type: ingest.FieldBoolean},
			{Name: "overlap", Type: ingest.FieldNumber},
		},
	}
}

func TestDescriptor_ValidateAcceptsEveryFieldType(t *testing.T) {
	t.Parallel()
	assert.NoError(t, descriptor("example").Validate())
}

func TestDescriptor_ValidateNamesEachFault(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil func(*ingest.Descriptor)
		want  string
	}{
		"no id":            {func(d *ingest.Descriptor) { d.ConnectorID = "" }, "connector_id is empty"},
		"no name":          {func(d *ingest.Descriptor) { d.ConnectorName = "" }, "connector_name is empty"},
		"field: no name":   {func(d *ingest.Descriptor) { d.Fields[0].Name = "" }, "fields[0]: name is empty"},
		"field twice":      {func(d *ingest.Descriptor) { d.Fields[3].Name = "reads" }, `field "reads" is listed twice`},
		"field: no type":   {func(d *ingest.Descriptor) { d.Fields[0].Type = "" }, `field "account_id": type ""`},
		"field: odd type":  {func(d *ingest.Descriptor) { d.Fields[0].Type = "text" }, `field "account_id": type "text"`},
		"token in clear":   {func(d *ingest.Descriptor) { d.Fields[1].Type = ingest.FieldString }, `field "api_token": type is "string"`},
		"key in clear":     {func(d *ingest.Descriptor) { d.Fields[0].Name = "my_api_key" }, `field "my_api_key": type is "string"`},
		"password":         {func(d *ingest.Descriptor) { d.Fields[3].Name = "password_2" }, `field "password_2": type is "textarea"`},
		"secret":           {func(d *ingest.Descriptor) { d.Fields[3].Name = "client_secret" }, `field "client_secret": type is "textarea"`},
		"bounds":           {func(d *ingest.Descriptor) { d.Fields[5].Minimum = 1 }, `field "overlap": the minimum 1 is above the maximum 0`},
		"select: no value": {func(d *ingest.Descriptor) { d.Fields[2].Options = nil }, `field "region": a select needs options`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := descriptor("example")
			test.spoil(&d)
			assert.ErrorContains(t, d.Validate(), test.want)
		})
	}
}

func TestDescriptor_ValidateReportsAllFaultsTogether(t *testing.T) {
	t.Parallel()
	d := descriptor("")
	d.Fields[0].Type = "text"
	d.Fields[2].Options = nil
	err := d.Validate()
	assert.ErrorContains(t, err, "connector_id")
	assert.ErrorContains(t, err, "account_id")
	assert.ErrorContains(t, err, "region")
}

func TestCatalog_BuildsTheRegisteredConnector(t *testing.T) {
	t.Parallel()
	var catalog ingest.Catalog
	want := &host{}
	config := map[string]any{"account_id": "a"}
	require.NoError(t, catalog.Register(descriptor("example"), func(got map[string]any) (ingest.Source, error) {
		assert.Equal(t, config, got)
		return want, nil
	}))
	src, err := catalog.Build("example", config)
	require.NoError(t, err)
	assert.Same(t, want, src)
}

func TestCatalog_RefusesWhatItCannotOffer(t *testing.T) {
	t.Parallel()
	var catalog ingest.Catalog
	factory := func(map[string]any) (ingest.Source, error) { return &host{}, nil }
	assert.ErrorContains(t, catalog.Register(descriptor(""), factory), "connector_id is empty")
	assert.ErrorContains(t, catalog.Register(descriptor("example"), nil), "the factory is nil")
	assert.Empty(t, catalog.List())

	require.NoError(t, catalog.Register(descriptor("example"), factory))
	other := descriptor("example")
	other.ConnectorName = "Other"
	assert.ErrorContains(t, catalog.Register(other, factory), "already registered")
	assert.Equal(t, []ingest.Descriptor{descriptor("example")}, catalog.List())
}

func TestCatalog_ListsByID(t *testing.T) {
	t.Parallel()
	var catalog ingest.Catalog
	for _, id := range []string{"c", "a", "b"} {
		require.NoError(t, catalog.Register(descriptor(id), func(map[string]any) (ingest.Source, error) { return nil, nil }))
	}
	assert.Equal(t, []ingest.Descriptor{descriptor("a"), descriptor("b"), descriptor("c")}, catalog.List())
}

func TestCatalog_BuildPassesOnWhyItFailed(t *testing.T) {
	t.Parallel()
	var catalog ingest.Catalog
	_, err := catalog.Build("example", nil)
	assert.ErrorContains(t, err, `no connector "example" is registered`)

	refused := errors.New("account_id is empty")
	require.NoError(t, catalog.Register(descriptor("example"), func(map[string]any) (ingest.Source, error) {
		return &host{}, refused
	}))
	src, err := catalog.Build("example", nil)
	assert.ErrorIs(t, err, refused)
	assert.ErrorContains(t, err, `connector "example"`)
	assert.Nil(t, src)
}

func TestCatalog_IsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var catalog ingest.Catalog
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			assert.NoError(t, catalog.Register(descriptor(id), func(map[string]any) (ingest.Source, error) { return nil, nil }))
			catalog.List()
			_, err := catalog.Build(id, nil)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	assert.Len(t, catalog.List(), 8)
}
