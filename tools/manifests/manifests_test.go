package manifests

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

const root = "../../packaging/kubernetes"

// workload is a pod with what stands around it.
type workload struct {
	name     string
	selector *metav1.LabelSelector
	template corev1.PodTemplateSpec
	claims   []corev1.PersistentVolumeClaim
}

// manifest is the content of one file.
type manifest struct {
	workloads []workload
	services  []corev1.Service
}

// strict decodes as the API server does with strict validation: unknown and
// duplicate fields are faults, and so is a name in another case.
func strict(document string, v any) error {
	text, err := yaml.YAMLToJSONStrict([]byte(document))
	if err != nil {
		return err
	}
	faults, err := kjson.UnmarshalStrict(text, v)
	return errors.Join(append(faults, err)...)
}

// parse reads a file with one or more manifests.
func parse(text string) (m manifest, err error) {
	for _, document := range strings.Split("\n"+text, "\n---\n") {
		var head metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &head); err != nil {
			return m, err
		}
		switch head.APIVersion + " " + head.Kind {
		case "v1 Service":
			var s corev1.Service
			err = strict(document, &s)
			m.services = append(m.services, s)
		case "apps/v1 StatefulSet":
			var s appsv1.StatefulSet
			err = strict(document, &s)
			if err == nil && (s.Spec.Replicas == nil || *s.Spec.Replicas != 1) {
				err = fmt.Errorf("%s: must have one replica: each has a cursor of its own", s.Name)
			}
			m.workloads = append(m.workloads, workload{s.Name, s.Spec.Selector, s.Spec.Template, s.Spec.VolumeClaimTemplates})
		case "apps/v1 Deployment":
			var d appsv1.Deployment
			err = strict(document, &d)
			m.workloads = append(m.workloads, workload{d.Name, d.Spec.Selector, d.Spec.Template, nil})
		default:
			err = fmt.Errorf("%s %s: is of a kind that this test does not know", head.APIVersion, head.Kind)
		}
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

// faults are what Kubernetes would refuse, or quietly not do.
func (m *manifest) faults() (all []string) {
	for _, w := range m.workloads {
		if w.selector == nil || !maps.Equal(w.selector.MatchLabels, w.template.Labels) {
			all = append(all, w.name+": the selector is not that of the labels of the pod")
		}
		all = append(all, w.podFaults()...)
	}
	for _, s := range m.services {
		i := slices.IndexFunc(m.workloads, func(w workload) bool { return maps.Equal(w.template.Labels, s.Spec.Selector) })
		if i < 0 {
			all = append(all, s.Name+": the service selects no pod")
			continue
		}
		for _, p := range s.Spec.Ports {
			if !hasPort(m.workloads[i].template.Spec.Containers, p.TargetPort.StrVal) {
				all = append(all, fmt.Sprintf("%s: no container has the port %q", s.Name, p.TargetPort.StrVal))
			}
		}
	}
	return all
}

func hasPort(containers []corev1.Container, name string) bool {
	return slices.ContainsFunc(containers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == name })
	})
}

func (w *workload) podFaults() (all []string) {
	pod := w.template.Spec
	if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil {
		all = append(all, w.name+": the pod may run as root, or with every system call")
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		all = append(all, w.name+": the pod gets a token of the cluster")
	}
	var volumes []string
	for _, v := range pod.Volumes {
		volumes = append(volumes, v.Name)
	}
	for _, c := range w.claims {
		volumes = append(volumes, c.Name)
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, fault := range containerFaults(c, volumes) {
			all = append(all, w.name+", "+c.Name+": "+fault)
		}
	}
	return all
}

func containerFaults(c corev1.Container, volumes []string) (all []string) {
	s := c.SecurityContext
	switch {
	case s == nil, s.ReadOnlyRootFilesystem == nil, !*s.ReadOnlyRootFilesystem,
		s.AllowPrivilegeEscalation == nil, *s.AllowPrivilegeEscalation,
		s.Capabilities == nil, !slices.Contains(s.Capabilities.Drop, "ALL"):
		all = append(all, "the container is not locked down")
	}
	if c.Resources.Limits.Memory().IsZero() {
		all = append(all, "there is no limit of the memory")
	}
	for _, m := range c.VolumeMounts {
		if !slices.Contains(volumes, m.Name) {
			all = append(all, fmt.Sprintf("there is no volume %q", m.Name))
		}
	}
	for _, probe := range []*corev1.Probe{c.ReadinessProbe, c.LivenessProbe} {
		if probe == nil {
			continue
		}
		var port string
		switch {
		case probe.HTTPGet != nil:
			port = probe.HTTPGet.Port.StrVal
		case probe.TCPSocket != nil:
			port = probe.TCPSocket.Port.StrVal
		}
		if !hasPort([]corev1.Container{c}, port) {
			all = append(all, fmt.Sprintf("the probe asks a port %q, which there is not", port))
		}
	}
	return all
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// kustomization has the fields that are used here; it has to have no others.
type kustomization struct {
	metav1.TypeMeta    `json:",inline"`
	Namespace          string   `json:"namespace"`
	Resources          []string `json:"resources"`
	ConfigMapGenerator []struct {
		Name  string   `json:"name"`
		Files []string `json:"files"`
	} `json:"configMapGenerator"`
	Images []struct {
		Name   string `json:"name"`
		NewTag string `json:"newTag"`
	} `json:"images"`
}

func TestManifests_AreWhatKubernetesTakes(t *testing.T) {
	folders, err := os.ReadDir(root)
	if err != nil || len(folders) < 2 {
		t.Fatal(folders, err)
	}
	for _, folder := range folders {
		var k kustomization
		if err := strict(read(t, folder.Name(), "kustomization.yaml"), &k); err != nil {
			t.Fatal(folder.Name(), err)
		}
		for _, resource := range k.Resources {
			m, err := parse(read(t, folder.Name(), resource))
			if err != nil {
				t.Fatal(folder.Name(), resource, err)
			}
			if len(m.workloads) == 0 {
				t.Error(folder.Name(), resource, "there is no workload")
			}
			for _, fault := range m.faults() {
				t.Error(folder.Name(), resource, fault)
			}
			for _, w := range m.workloads {
				k.check(t, w)
			}
		}
		for _, c := range k.ConfigMapGenerator {
			for _, file := range c.Files {
				read(t, folder.Name(), file)
			}
		}
	}
}

// check tests that what a workload names is made by the kustomization.
func (k *kustomization) check(t *testing.T, w workload) {
	t.Helper()
	for _, v := range w.template.Spec.Volumes {
		if v.ConfigMap != nil && (len(k.ConfigMapGenerator) == 0 || k.ConfigMapGenerator[0].Name != v.ConfigMap.Name) {
			t.Errorf("%s: nothing makes the ConfigMap %q", w.name, v.ConfigMap.Name)
		}
	}
	for _, c := range slices.Concat(w.template.Spec.InitContainers, w.template.Spec.Containers) {
		if len(k.Images) == 0 || k.Images[0].Name != c.Image {
			t.Errorf("%s: the image %q gets no tag", w.name, c.Image)
		}
	}
}

func TestManifests_FaultsAreFound(t *testing.T) {
	good := read(t, "run", "statefulset.yaml")
	for _, c := range []struct{ old, new, want string }{
		{"readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true", "unknown field"},
		{"containerPort: 9090", "containerPort: nine", "cannot unmarshal"},
		{"requests: {storage: 1Gi}", "requests: {storage: 1GB}", "quantities must match"},
		{"replicas: 1", "replicas: 2", "one replica"},
		{"kind: StatefulSet", "kind: Stateful", "does not know"},
	} {
		if _, err := parse(strings.Replace(good, c.old, c.new, 1)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.new, err)
		}
	}
	for _, c := range []struct{ old, new, want string }{
		{"{name: state, mountPath", "{name: stat, mountPath", `no volume "stat"`},
		{"{name: metrics, containerPort", "{name: other, containerPort", "the probe asks a port"},
		{"drop: [ALL]", "drop: [NET_RAW]", "not locked down"},
		{"limits: {memory: 512Mi}", "limits: {cpu: 1}", "no limit"},
		{"  selector: {app.kubernetes.io/name: cfaudit}", "  selector: {app.kubernetes.io/name: other}", "selects no pod"},
		{"matchLabels: {app.kubernetes.io/name: cfaudit}", "matchLabels: {app.kubernetes.io/name: other}", "the selector is not"},
		{"runAsNonRoot: true", "runAsNonRoot: false", "may run as root"},
		{"automountServiceAccountToken: false", "automountServiceAccountToken: true", "a token of the cluster"},
	} {
		m, err := parse(strings.Replace(good, c.old, c.new, 1))
		if err != nil || !strings.Contains(strings.Join(m.faults(), "\n"), c.want) {
			t.Errorf("%s: %v, %v", c.new, m.faults(), err)
		}
	}
}
