// Who was let in: names, roles, and the way out.

import { button, el, replace, say } from './dom.js';
import { askText, card, confirm, failure } from './settings-parts.js';
import { linkBox } from './settings-links.js';
import { moment } from './when.js';

/** Bytes of the longest name; the box cuts what is longer. */
const NAME_MAX = 40;

/** Shows the list of terminals. */
export function showTerminals(place, app) {
  const { t, api } = app;
  const list = el('ul', { class: 'rows' });
  const said = el('p', { role: 'status' });
  const made = el('div');
  const everybody = button(t('terminals.revokeAll'), revokeAll, { class: 'danger' });
  place.append(
    card(
      t('terminals.title'),
      el('p', { class: 'muted' }, t('terminals.what')),
      list,
      said,
      el('div', { class: 'row' }, button(t('terminals.player'), addPlayer), everybody),
      made,
    ),
  );
  draw();

  async function draw() {
    try {
      const { terminals } = await api.get('/api/v1/terminals');
      replace(list, terminals.map(row));
      everybody.hidden = terminals.length < 2;
    } catch (why) {
      replace(said, failure(t, why));
    }
  }

  function row(terminal) {
    const { name, role } = terminal;
    const about = [
      terminal.paired && t('terminals.since', { when: moment(terminal.paired) }),
      terminal.until && t('terminals.until', { when: moment(terminal.until) }),
      terminal.channels?.length > 0 && t('terminals.channels', { list: terminal.channels.join(', ') }),
    ].filter(Boolean);
    return el(
      'li',
      null,
      el(
        'div',
        { class: 'what' },
        el('strong', null, name, ' '),
        el('span', null, el('span', { class: 'pill' }, t(`role.${role}`)), ' ', terminal.self && el('span', { class: 'pill mark-self' }, t('terminals.self'))),
        about.length > 0 && el('span', { class: 'muted small' }, about.join(' · ')),
      ),
      el(
        'div',
        { class: 'row' },
        button(t('terminals.rename'), () => rename(terminal), { class: 'quiet', 'aria-label': `${t('terminals.rename')}: ${name}` }),
        button(t('terminals.revoke'), () => revoke(terminal), { class: 'quiet danger', 'aria-label': `${t('terminals.revoke')}: ${name}` }),
      ),
    );
  }

  function rename({ slot, name, self }) {
    askText(app, {
      title: t('terminals.rename'),
      label: t('terminals.name'),
      value: name,
      most: NAME_MAX,
      async save(to) {
        await api.patch(`/api/v1/terminals/${slot}`, { name: to });
        if (self) app.session.name = to;
        say(t('settings.saved'));
        await draw();
      },
    });
  }

  async function revoke({ slot, name, self }) {
    const question = t(self ? 'terminals.revokeSelfAsk' : 'terminals.revokeAsk', { name });
    if (!(await confirm(app, t('terminals.revoke'), question))) return;
    await attempt(async () => {
      await api.del(`/api/v1/terminals/${slot}`);
      if (self) return app.out();
      say(t('terminals.revoked', { name }));
      return draw();
    });
  }

  async function revokeAll() {
    if (!(await confirm(app, t('terminals.revokeAll'), t('terminals.revokeAllAsk')))) return;
    await attempt(async () => {
      await api.post('/api/v1/terminals/revoke-all');
      app.out();
    });
  }

  function addPlayer() {
    askText(app, {
      title: t('terminals.player'),
      label: t('terminals.playerName'),
      value: 'Kodi',
      most: NAME_MAX,
      async save(name) {
        const player = await api.post('/api/v1/terminals', { role: 'player', name });
        replace(made, el('p', null, t('terminals.playerMade')), linkBox(app, location.origin + player.playlist));
        await draw();
      },
    });
  }

  async function attempt(what) {
    replace(said);
    try {
      await what();
    } catch (why) {
      replace(said, failure(t, why));
    }
  }
}
