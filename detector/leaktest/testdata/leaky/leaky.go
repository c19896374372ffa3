// Package leaky leaks.
package leaky

// Refresh waits for what nobody sends.
func Refresh() {
	done := make(chan bool)
	go func() {
		<-done
	}()
}
