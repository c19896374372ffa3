// Package history keeps what was seen of a process in a fixed amount of memory, for plots:
//
//   - Record is the past of all resources of a live process: the latest samples as they were read, and before them the
//     extremes of stretches that grow longer as time passes. 20 KB a resource; instants are kept once for all of them.
//   - Shape is one series of any length, each bin with its extremes and their instants, for a recording that is read to
//     its end and drawn once.
//   - Trace is what was made of one resource: minimums, fitted lines and marks. It draws itself on a chart over the
//     bins of either.
//
// Record and Shape are two because neither can stand for the other: a live page shows the latest hours sample by
// sample, for which Shape would take 88 bytes a sample and resource instead of 12, and a report shows all parts of a
// run at the same resolution, which a Record does not keep. Both know gaps by one rule (rhythm). Two more keep a
// series, and stay where they are: a spark line of the command draws means, has no times, and takes 1 KB, of which a
// fleet holds thousands; the past of a line of code takes 64 bytes, of which sites hold thousands, and their instants
// are shared.
//
// What a value, a minimum or a finding is, others decide: this package keeps it, and does not judge. It knows no clock.
package history
