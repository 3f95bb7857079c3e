// The page that Chromium opens: Splunk's validator, and Splunk's own Dashboard Studio with rows in place of searches.
import React from 'react';
import { createRoot } from 'react-dom/client';
import DashboardCore from '@splunk/dashboard-core';
import { DashboardContextProvider } from '@splunk/dashboard-context';
import { createSchemaBasedOnPresets } from '@splunk/dashboard-definition';
import EnterprisePreset from '@splunk/dashboard-presets/EnterprisePreset';
import EnterpriseViewOnlyPreset from '@splunk/dashboard-presets/EnterpriseViewOnlyPreset';
import { DashboardValidator } from '@splunk/dashboard-validation';
import TestDataSource from '@splunk/datasources/TestDataSource';
import SplunkThemeProvider from '@splunk/themes/SplunkThemeProvider';

// The validator of today wants a layout in tabs; Splunk 9 writes, and every version draws, the flat one.
function inTabs(definition) {
  const { type, options, structure, globalInputs } = definition.layout;
  return {
    ...definition,
    layout: {
      options: {},
      globalInputs,
      tabs: { items: [{ layoutId: 'only', label: definition.title }] },
      layoutDefinitions: { only: { type, options, structure } },
    },
  };
}

window.validate = (definition) => {
  const validator = new DashboardValidator();
  const schemaFault = validator.setSchema(createSchemaBasedOnPresets(EnterprisePreset));
  const found = validator.validate(inTabs(definition), []) || [];
  return [...(schemaFault ? [String(schemaFault)] : []), ...found.map((fault) => `${fault.instancePath} ${fault.message}`)];
};

window.draw = (definition, colorScheme) => {
  const dataSources = { ...EnterpriseViewOnlyPreset.dataSources, 'ds.test': TestDataSource };
  createRoot(document.getElementById('root')).render(
    <SplunkThemeProvider family="enterprise" colorScheme={colorScheme} density="comfortable">
      <DashboardContextProvider preset={{ ...EnterpriseViewOnlyPreset, dataSources }} initialDefinition={definition}>
        <DashboardCore width="100%" height="100%" onValidationError={(fault) => { window.fault = String(fault); }} />
      </DashboardContextProvider>
    </SplunkThemeProvider>,
  );
};
window.ready = true;
