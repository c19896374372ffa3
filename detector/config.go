package detector

import (
	"io"

	"github.com/mdzesseis/leaktrend/detector/config"
)

// Config holds the settings of the detector and of the ResourceMonitor. DefaultConfig gives the values to start from;
// the zero value is not valid.
type Config = config.Config

// AdaptiveConfig holds the settings of the trend detector.
type AdaptiveConfig = config.Adaptive

// Warning is something in a configuration file that loads but may not do what its writer expects.
type Warning = config.Warning

// DefaultConfig returns the settings that apply unless a file sets others.
func DefaultConfig() Config { return config.Default() }

// LoadConfig reads the section resource_monitoring of the YAML file at path. It is config.Load.
func LoadConfig(path string) (Config, []Warning, error) { return config.Load(path) }

// ParseConfig reads the section resource_monitoring from YAML, as config.Parse does; name stands for the input in
// messages.
func ParseConfig(r io.Reader, name string) (Config, []Warning, error) { return config.Parse(r, name) }

// WriteConfig writes c as the section resource_monitoring of a YAML file with notes on its keys, as config.Write does.
func WriteConfig(w io.Writer, c Config, notes map[string]string) error {
	return config.Write(w, c, notes)
}
