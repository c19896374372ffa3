// Package app is the host's application.
package app

import (
	"fmt"
	"net/http"
	"os"

	"ssw-logs-capture/internal/metrics"
	"ssw-logs-capture/internal/mux"
	"ssw-logs-capture/pkg/leakdetection"
	"ssw-logs-capture/pkg/monitoring"

	"github.com/sirupsen/logrus"
	"gopkg.in/yaml.v3"
)

// App is the application, as far as it has to do with its monitors.
type App struct {
	config struct {
		ResourceMonitoring struct {
			Enabled             bool    `yaml:"enabled"`
			CheckInterval       string  `yaml:"check_interval"`
			GoroutineThreshold  int     `yaml:"goroutine_threshold"`
			MemoryThresholdMB   int64   `yaml:"memory_threshold_mb"`
			FDThreshold         int     `yaml:"fd_threshold"`
			GrowthRateThreshold float64 `yaml:"growth_rate_threshold"`
			AlertOnThreshold    bool    `yaml:"alert_on_threshold"`
			AlertWebhookURL     string  `yaml:"alert_webhook_url"`
		} `yaml:"resource_monitoring"`
	}
	configFile         string
	logger             *logrus.Logger
	router             mux.Router
	enhancedMetrics    *metrics.EnhancedMetrics
	resourceMonitor    *leakdetection.ResourceMonitor
	resourceMonitorNew *monitoring.ResourceMonitor
}

// New reads the configuration and makes the monitors.
func New(configFile string) (*App, error) {
	app := &App{configFile: configFile, logger: logrus.New(), enhancedMetrics: &metrics.EnhancedMetrics{}}
	text, err := os.ReadFile(configFile)
	if err != nil {
		return nil, err
	}
	if err := yaml.Unmarshal(text, &app.config); err != nil {
		return nil, err
	}
	metrics.Register()
	if err := app.initializeResourceMonitor(); err != nil {
		return nil, err
	}
	if err := app.initializeResourceMonitorNew(); err != nil {
		return nil, err
	}
	app.registerHandlers(&app.router)
	return app, nil
}

// Start starts the monitors.
func (app *App) Start() error {
	if app.resourceMonitor != nil {
		if err := app.resourceMonitor.Start(); err != nil {
			return fmt.Errorf("failed to start resource monitor: %w", err)
		}
	}
	if app.resourceMonitorNew != nil {
		if err := app.resourceMonitorNew.Start(); err != nil {
			return fmt.Errorf("failed to start new resource monitor: %w", err)
		}
	}
	return nil
}

// Stop stops them.
func (app *App) Stop() error {
	if app.resourceMonitor != nil {
		if err := app.resourceMonitor.Stop(); err != nil {
			return err
		}
	}
	if app.resourceMonitorNew != nil {
		return app.resourceMonitorNew.Stop()
	}
	return nil
}

// Stats is what GET /stats shows of the monitor.
func (app *App) Stats() interface{} { return app.resourceMonitor.GetStats() }

// ServeHTTP serves the API.
func (app *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { app.router.ServeHTTP(w, r) }

// ResourceMetrics is what GET /api/resources/metrics shows.
func (app *App) ResourceMetrics() interface{} { return app.resourceMonitorNew.GetMetrics() }
