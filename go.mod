module github.com/mdzesseis/leaktrend

go 1.24.0

require (
	github.com/google/pprof v0.0.0-20260115054156-294ebfa9ad83
	github.com/prometheus/procfs v0.19.2
	github.com/sirupsen/logrus v1.9.4
	github.com/spf13/cobra v1.10.2
	golang.org/x/arch v0.24.0
	golang.org/x/sys v0.38.0
	golang.org/x/term v0.37.0
	gonum.org/v1/gonum v0.17.0
	gopkg.in/yaml.v3 v3.0.1
)

require (
	github.com/google/go-cmp v0.7.0
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.0.9
)
