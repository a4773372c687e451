// What the provider remembers. It stands outside of the provider, because changed keys are a new
// provider, and that one must still know who is logged in.
export class Memory {
  #models = new Map();

  // The adapter that the provider asks for each of its models.
  adapter = (model) => {
    if (!this.#models.has(model)) {
      this.#models.set(model, new Model());
    }
    return this.#models.get(model);
  };
}

class Model {
  #entries = new Map();

  async upsert(id, payload, expiresIn) {
    const until = expiresIn === undefined ? Infinity : Date.now() + expiresIn * 1000;
    this.#entries.set(id, { payload, until });
  }

  async find(id) {
    const entry = this.#entries.get(id);
    if (entry && entry.until <= Date.now()) {
      this.#entries.delete(id);
      return undefined;
    }
    return entry?.payload;
  }

  async findByUid(uid) {
    for (const [id, { payload }] of this.#entries) {
      if (payload.uid === uid) {
        return this.find(id);
      }
    }
    return undefined;
  }

  // What is remembered, to be changed.
  all() {
    return [...this.#entries.values()].map(({ payload }) => payload);
  }

  async consume(id) {
    const payload = await this.find(id);
    if (payload) {
      payload.consumed = Math.floor(Date.now() / 1000);
    }
  }

  async destroy(id) {
    this.#entries.delete(id);
  }

  async revokeByGrantId(grantId) {
    for (const [id, { payload }] of this.#entries) {
      if (payload.grantId === grantId) {
        this.#entries.delete(id);
      }
    }
  }
}
