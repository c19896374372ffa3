package app

import (
	"encoding/json"
	"net/http"

	"ssw-logs-capture/internal/mux"
)

func (app *App) registerHandlers(router *mux.Router) {
	router.Handle("/api/resources/metrics", http.HandlerFunc(app.handleResourceMetrics))
}

func (app *App) handleResourceMetrics(w http.ResponseWriter, _ *http.Request) {
	if app.resourceMonitorNew == nil {
		http.Error(w, "Resource monitoring not enabled", http.StatusServiceUnavailable)
		return
	}
	metrics := app.resourceMonitorNew.GetMetrics()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(metrics)
}
