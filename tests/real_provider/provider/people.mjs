// Who can log in here, and what their claims say. The last one has shared little.
export const PEOPLE = [
  {
    sub: 'mira-7c41',
    name: 'Mira Lindqvist',
    given_name: 'Mira',
    family_name: 'Lindqvist',
    email: 'mira@example.com',
    email_verified: true,
    phone_number: '+12025550117',
    phone_number_verified: true,
  },
  {
    sub: 'tomas-02be',
    name: 'Tomás Ferreira',
    given_name: 'Tomás',
    family_name: 'Ferreira',
    email: 'tomas@example.com',
    email_verified: false,
    phone_number: '+12025550163',
    phone_number_verified: false,
  },
  { sub: 'noor-e95d', name: 'Noor', given_name: 'Noor' },
];

export function personBy(sub) {
  return PEOPLE.find((person) => person.sub === sub);
}
