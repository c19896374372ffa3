package app

import (
	"time"

	"ssw-logs-capture/pkg/leakdetection"
	"ssw-logs-capture/pkg/monitoring"
)

func parseDurationSafe(text string, standard time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil {
		return d
	}
	return standard
}

func (app *App) initializeResourceMonitor() error {
	if !app.config.ResourceMonitoring.Enabled {
		app.logger.Info("Resource monitor disabled")
		return nil
	}

	resourceConfig := leakdetection.ResourceMonitorConfig{
		MonitoringInterval:     parseDurationSafe(app.config.ResourceMonitoring.CheckInterval, 30*time.Second),
		FDLeakThreshold:        int64(app.config.ResourceMonitoring.FDThreshold),
		GoroutineLeakThreshold: int64(app.config.ResourceMonitoring.GoroutineThreshold),
		MemoryLeakThreshold:    int64(app.config.ResourceMonitoring.MemoryThresholdMB) * 1024 * 1024,
		AlertCooldown:          5 * time.Minute,
		EnableMemoryProfiling:  false,
		EnableGCOptimization:   false,
		MaxAlertHistory:        100,
	}

	resourceMonitor := leakdetection.NewResourceMonitor(resourceConfig, app.logger)

	app.resourceMonitor = resourceMonitor
	return nil
}

func (app *App) initializeResourceMonitorNew() error {
	if !app.config.ResourceMonitoring.Enabled {
		app.logger.Info("New resource monitor disabled")
		return nil
	}

	monitorConfig := monitoring.Config{
		Enabled:             app.config.ResourceMonitoring.Enabled,
		CheckInterval:       parseDurationSafe(app.config.ResourceMonitoring.CheckInterval, 10*time.Second),
		GoroutineThreshold:  app.config.ResourceMonitoring.GoroutineThreshold,
		MemoryThresholdMB:   app.config.ResourceMonitoring.MemoryThresholdMB,
		FDThreshold:         app.config.ResourceMonitoring.FDThreshold,
		GrowthRateThreshold: app.config.ResourceMonitoring.GrowthRateThreshold,
		AlertWebhookURL:     app.config.ResourceMonitoring.AlertWebhookURL,
		AlertOnThreshold:    app.config.ResourceMonitoring.AlertOnThreshold,
	}

	resourceMonitorNew := monitoring.NewResourceMonitor(monitorConfig, app.logger)

	app.resourceMonitorNew = resourceMonitorNew
	return nil
}
