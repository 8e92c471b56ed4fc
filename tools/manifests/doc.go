// Package manifests holds the manifests in packaging/kubernetes to the types of
// Kubernetes, and to each other.
package manifests
