package product

import (
	"slices"
	"testing"
)

var spectrumSuite = suite{
	pairs: slices.Concat(
		rows("spectrum.apps/view", "spectrum.app.view", info, same, same),
		rows("?spectrum.app/created", "spectrum.app.create", medium, same, same, newValue(`{"dns":{"type":"CNAME","name":"ssh.example.com"},"protocol":"tcp/22"}`)),
		rows("?spectrum.app/deleted; ?spectrum.app/disabled", "", medium, same, same),
		rows("?web3.hostname/create", "web3.hostname.create", medium, same, same),
	),
	calls: spectrumCalls(),
	examples: map[string]ruleExample{
		"service-exposed":      {requested("POST", "/zones/"+exampleZone+"/spectrum/apps", requestBody(`{"dns":{"type":"CNAME","name":"ssh.example.com"},"origin_direct":["tcp://192.0.2.22:22"],"protocol":"tcp/22"}`)), requested("DELETE", "/zones/"+exampleZone+"/spectrum/apps/1")},
		"service-withdrawn":    {logged("spectrum.app", "delete", oldValue(`{"dns":{"name":"ssh.example.com"}}`)), logged("spectrum.app", "update")},
		"web3-gateway-changed": {requested("POST", "/zones/"+exampleZone+"/web3/hostnames", requestBody(`{"name":"site.example.com","target":"ipfs"}`)), requested("DELETE", "/zones/"+exampleZone+"/web3/hostnames/1")},
		"web3-changed":         {requested("DELETE", "/zones/"+exampleZone+"/web3/hostnames/372e67954025e0ba6aaa6d586b9e0b59"), requested("GET", "/zones/"+exampleZone+"/web3/hostnames")},
	},
	moves: map[string]moveCase{
		"hostname of an application": {requested("POST", "/zones/"+exampleZone+"/spectrum/apps", requestBody(`{"dns":{"name":"ssh.example.com"}}`)), "spectrum.app.create", "", "ssh.example.com"},
	},
}

func spectrumCalls() callList {
	var list callList
	list.add("POST {z}/spectrum/apps", "spectrum.app.create", medium)
	list.add("PUT {z}/spectrum/apps/1", "spectrum.app.update", medium)
	list.add("DELETE {z}/spectrum/apps/1", "spectrum.app.delete", medium)
	list.add("POST {z}/web3/hostnames", "web3.hostname.create", medium)
	list.add("PATCH {z}/web3/hostnames/1", "web3.hostname.update", medium)
	list.add("DELETE {z}/web3/hostnames/1", "web3.hostname.delete", low)
	list.add("PUT {z}/web3/hostnames/1/ipfs_universal_path/content_list; POST {z}/web3/hostnames/1/ipfs_universal_path/content_list/entries", "web3.content_list.update", low)
	list.add("PUT {z}/web3/hostnames/1/ipfs_universal_path/content_list/entries/1; DELETE {z}/web3/hostnames/1/ipfs_universal_path/content_list/entries/1", "web3.content_list.update", low)
	return list
}

func TestSpectrum_EveryEntryIsUnderstoodAndGraded(t *testing.T) { spectrumSuite.check(t) }
