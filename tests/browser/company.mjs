// A tenant of a story, with a directory of its own in the stand-in for Microsoft.

import assert from 'node:assert/strict';
import { clearFaults, control, invoke } from './stack.mjs';

/** The value of every generated company's client secret. */
export const SECRET = 'demo-company-value';

export class Company {
  /** A company of some size that nobody has configured. Stories run side by side: `seed` is the story's own number. */
  static async new(seed, { users = 0, groups = 0 } = {}) {
    const company = new Company();
    const described = await control('companies', { users, groups, seed });
    company.tenant = `browser-${seed}`;
    company.directory = described.name;
    company.directoryId = described.directory_id;
    company.application = described.applications[0].client_id;
    company.domain = `company-${seed}.example`;
    // A story that was cut short may have left some.
    await clearFaults(company.directory);
    await company.admin({ action: 'delete_tenant', purge: true });
    return company;
  }

  /** The stand-in's own Contoso, configured and synchronised. */
  static async contoso() {
    const company = new Company();
    company.tenant = company.directory = 'contoso';
    company.directoryId = 'c0a70501-5d1e-4c0a-9d3f-1f0e5a7b0001';
    company.application = 'c0a70501-a991-4d5a-8f2e-2b6c9d1e0001';
    company.domain = 'contoso.com';
    await company.did({ action: 'put_tenant', settings: company.settings() });
    await company.did({ action: 'put_secret', ad_key: 'demo-contoso-value' });
    await company.run();
    return company;
  }

  /** A company that is configured, with its secret saved and these people in it, synchronised. */
  static async withPeople(seed, names, size = {}) {
    const company = await Company.new(seed, size);
    await company.did({ action: 'put_tenant', settings: company.settings() });
    const saved = await company.did({ action: 'put_secret', ad_key: SECRET });
    assert.equal(saved.connection.status, 'green');
    await company.change(names.map((name) => company.person(name)));
    await company.run();
    return company;
  }

  /** The same with `ann` as its administrator. */
  static async managed(seed, names = [], size = {}) {
    const company = await Company.withPeople(seed, ['ann', ...names], size);
    await company.convert('ann', 'organization_admin');
    return company;
  }

  /** Settings with which everything is synchronised. */
  settings() {
    return {
      name: `Company of ${this.tenant}`, primary_domain: this.domain, directory_id: this.directoryId,
      application_id: this.application, domains: [{ name: this.domain }], tech_contact: this.address('it'),
      sync_frequency: 1, sync_security_groups: true, remove_deleted_users: true, remove_deleted_groups: true,
      brake: { enabled: false },
    };
  }

  address(name) {
    return `${name}@${this.domain}`;
  }

  admin(event) {
    return invoke('Admin', { tenant: this.tenant, ...event });
  }

  /** Something of `admin` that is not refused. */
  async did(event) {
    const answer = await this.admin(event);
    assert.equal(answer.error, undefined, JSON.stringify(answer));
    return answer;
  }

  /** The automatic run, by hand, whatever comes of it. */
  ran() {
    return invoke('Sync', { tenant: this.tenant, action: 'sync' });
  }

  /** The same, which carries out all that it plans. */
  async run() {
    const run = await this.ran();
    assert.equal(run.state, 'applied', JSON.stringify(run));
    return run;
  }

  /** Somebody becomes a user of another type. */
  convert(name, to) {
    return this.did({ action: 'convert', address: this.address(name), to });
  }

  async user(name) {
    return (await this.did({ action: 'get_user', address: this.address(name) })).user;
  }

  /** Change something in Entra. */
  change(changes) {
    return control(`${this.directory}/changes`, changes);
  }

  /** How the directory signs people in from now on; nothing is wrong with it unless it is said. */
  signIns(how) {
    return control(`${this.directory}/sign-ins`, how);
  }

  /** The change that makes a person with a mailbox and an alias. */
  person(name, properties = {}) {
    const address = this.address(name);
    const proxyAddresses = [`SMTP:${address}`, `smtp:${this.address(`${name}.alias`)}`];
    const own = {
      displayName: `The ${name}`, userPrincipalName: address, mail: address, proxyAddresses, mobilePhone: '+1 425 555 0100',
    };
    return { op: 'create_user', properties: { ...own, ...properties } };
  }

  /** The change that makes a distribution list with these members. */
  list(name, members) {
    const address = this.address(name);
    const properties = {
      displayName: `The ${name}`, mail: address, proxyAddresses: [`SMTP:${address}`], mailEnabled: true, securityEnabled: false,
    };
    return { op: 'create_group', properties, members: members.map((member) => this.address(member)) };
  }
}
