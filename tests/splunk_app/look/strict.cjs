// What Splunk's validator lets pass: options that no panel of that type knows, and values that they do not take.
const schemas = require('@splunk/visualization-schemas');
const Ajv = require('ajv').default;

const NAMES = { singlevalue: 'singleValue', column: 'column', bar: 'bar', line: 'line', area: 'area', pie: 'pie', table: 'table' };

module.exports = (definition) => {
  const faults = [];
  for (const [id, panel] of Object.entries(definition.visualizations)) {
    const known = schemas[`${NAMES[panel.type.replace('splunk.', '')]}OptionsSchema`];
    if (!known) {
      faults.push(`${id}: no panel is called ${panel.type}`);
      continue;
    }
    for (const [name, value] of Object.entries(panel.options)) {
      const ajv = new Ajv({ strict: false, allErrors: true });
      if (!known[name]) faults.push(`${id}: ${panel.type} has no option ${name}`);
      else if (!ajv.validate({ type: 'object', properties: { [name]: known[name] } }, { [name]: value })) {
        faults.push(`${id}: ${panel.type} ${name}: ${ajv.errorsText()}`);
      }
    }
  }
  return faults;
};
