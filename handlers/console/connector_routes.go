package console

import "github.com/sluice-io/sluice/runner/control"

// connectorRoutes are those of the wizard, of one connector's pages and of topics.
func (c *Console) connectorRoutes() []route {
	const (
		one    = "/instances/:instance/connectors/:connector"
		wizard = "/instances/:instance/connectors/new"
		topic  = "/instances/:instance/topics/:topic"
	)
	return []route{
		get(wizard, control.Operator, c.wizardStart),
		post(wizard, control.Operator, c.wizardBegin),
		get(wizard+"/:draft", control.Operator, c.wizardResume),
		get(wizard+"/:draft/:step", control.Operator, c.wizardShow),
		post(wizard+"/:draft/:step", control.Operator, c.wizardSubmit),

		get(one, control.Viewer, c.connectorShow),
		post(one+"/deploy", control.Operator, c.connectorResume),
		post(one+"/resume", control.Operator, c.connectorResume),
		post(one+"/suspend", control.Operator, c.connectorSuspend),
		post(one+"/stop", control.Operator, c.connectorStop),
		post(one+"/restart", control.Operator, c.connectorRestart),
		post(one+"/tasks/:task/restart", control.Operator, c.connectorTaskRestart),
		post(one+"/choose", control.Operator, c.connectorChoose),
		get(one+"/configuration", control.Viewer, c.connectorConfiguration),
		get(one+"/modify", control.Operator, c.connectorModify),
		post(one+"/modify", control.Operator, c.connectorModifySubmit),
		get(one+"/logs", control.Viewer, c.connectorLogs),
		get(one+"/logs/stream", control.Viewer, c.connectorLogStream),
		get(one+"/logs/download", control.Viewer, c.connectorLogDownload),
		get(one+"/resources", control.Viewer, c.connectorResources),
		get(one+"/position", control.Viewer, c.connectorPosition),
		post(one+"/position", control.Operator, c.connectorPositionSubmit),
		get(one+"/snapshot", control.Operator, c.connectorSnapshot),
		post(one+"/snapshot", control.Operator, c.connectorSnapshotSubmit),
		get(one+"/delete", control.Operator, c.connectorDelete),
		post(one+"/delete", control.Operator, c.connectorDeleteSubmit),
		get(one+"/take-over", control.Operator, c.connectorTakeOver),
		post(one+"/take-over", control.Operator, c.connectorTakeOverSubmit),
		get(one+"/internet", control.Viewer, c.connectorInternet),
		post(one+"/internet", control.Operator, c.connectorInternetSubmit),
		post(one+"/internet/check", control.Operator, c.connectorInternetCheck),

		get("/instances/:instance/create-topic", control.Operator, c.topicCreate),
		post("/instances/:instance/create-topic", control.Operator, c.topicCreateSubmit),
		get(topic, control.Viewer, c.topicShow),
		post(topic+"/records", control.Operator, c.topicSend),
		get(topic+"/records/:partition/:offset", control.Viewer, c.topicRecord),
	}
}
