// Package torture holds the torture test of the embedded monitor: everything that a service can call, from many
// goroutines, while all that the monitor is given misbehaves; and a year of it in a few seconds. What is right in one
// place is tested where it stands; here is only what must hold whatever happens.
package torture
