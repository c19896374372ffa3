// Package formats knows which reader a file needs. A new format is a row in the table here, and a file in the room of
// its kind.
package formats

import (
	"bytes"
	"fmt"

	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/delimited"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/jsonfiles"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/listings"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/logs"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/formats/timeseries"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/gathered"
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

// formats are tried in this order; what none of them is, is read as a table.
var formats = []gathered.Format{
	logs.Inspected,
	logs.GCLog,
	logs.GCTrace,
	jsonfiles.JSON,
	jsonfiles.StampedJSON,
	timeseries.RRD,
	listings.Atop,
	listings.Nmon,
	listings.Dstat,
	timeseries.GraphiteRaw,
	timeseries.FluxCSV,
	timeseries.QueryRange,
	listings.SocketStatistics,
	timeseries.PromText,
	timeseries.LineProtocol,
	timeseries.Mprof,
	logs.Records,
	listings.Sysstat,
	listings.Psrecord,
	listings.DockerStats,
	listings.KubectlTop,
	listings.Top,
	listings.Vmstat,
	listings.Free,
	listings.Ps,
	logs.Status,
	logs.KeyValues,
}

// Read recognizes the format of a text and reads it.
func Read(t *input.Text, o input.Options) (*gathered.File, error) {
	start, name := bytes.TrimLeft(t.Head, " \t\r\n"), t.Name
	if len(start) == 0 {
		return nil, fmt.Errorf("%s: no samples", name)
	}
	if err := refuseNamed(start, name, named); err != nil {
		return nil, err
	}
	for _, f := range formats {
		if f.Recognizes(start) {
			return f.Read(t, o)
		}
	}
	if err := refuse(start, name); err != nil {
		return nil, err
	}
	return delimited.Read(t, o)
}
