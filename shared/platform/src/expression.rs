//! Items, conditions and updates in DynamoDB's own language; every name and value by placeholder.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use engine::ports::{Change, Condition, Fault, Item, Key};
use serde_dynamo::aws_sdk_dynamodb_1::{from_attribute_value, to_attribute_value};
use serde_json::Value;

/// Attributes as the SDK wants them.
pub(crate) type Attributes = HashMap<String, AttributeValue>;

/// The expressions of one call and what their placeholders stand for. `None` where a call must not carry the field.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Expression {
    pub(crate) condition: Option<String>,
    pub(crate) update: Option<String>,
    pub(crate) names: Option<HashMap<String, String>>,
    pub(crate) values: Option<Attributes>,
}

impl Expression {
    /// The expressions of one write.
    pub(crate) fn of(change: &Change, only_if: &[Condition]) -> Result<Self, Fault> {
        let mut expression = Self::default();
        let conditions =
            only_if.iter().map(|condition| expression.condition(condition)).collect::<Result<Vec<_>, _>>()?;
        if !conditions.is_empty() {
            expression.condition = Some(conditions.join(" AND "));
        }
        if let Change::Set { set, add } = change {
            expression.update = Some(expression.update(set, add)?);
        }
        Ok(expression)
    }

    fn condition(&mut self, condition: &Condition) -> Result<String, Fault> {
        Ok(match condition {
            Condition::NoItem => format!("attribute_not_exists({})", self.name("pk")),
            Condition::Exists => format!("attribute_exists({})", self.name("pk")),
            Condition::Without(attribute) | Condition::Equals(attribute, Value::Null) => {
                format!("attribute_not_exists({})", self.name(attribute))
            }
            Condition::Equals(attribute, value) => {
                let value = attribute_value(value)?;
                format!("{} = {}", self.name(attribute), self.value(value))
            }
        })
    }

    fn update(&mut self, set: &Item, add: &[(&'static str, i64)]) -> Result<String, Fault> {
        let (mut sets, mut removes, mut adds) = (vec![], vec![], vec![]);
        for (attribute, value) in set {
            let name = self.name(attribute);
            if value.is_null() {
                removes.push(name);
            } else {
                sets.push(format!("{name} = {}", self.value(attribute_value(value)?)));
            }
        }
        for (attribute, number) in add {
            adds.push(format!("{} {}", self.name(attribute), self.value(AttributeValue::N(number.to_string()))));
        }
        if sets.is_empty() && removes.is_empty() && adds.is_empty() {
            // A transaction wants an expression, and setting nothing still makes the item.
            removes.push(self.name("nothing"));
        }
        let clause = |word, parts: Vec<String>| (!parts.is_empty()).then(|| format!("{word} {}", parts.join(", ")));
        let clauses = [clause("SET", sets), clause("REMOVE", removes), clause("ADD", adds)];
        Ok(clauses.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }

    fn name(&mut self, attribute: &str) -> String {
        let names = self.names.get_or_insert_default();
        if let Some((placeholder, _)) = names.iter().find(|(_, name)| *name == attribute) {
            return placeholder.clone();
        }
        let placeholder = format!("#a{}", names.len());
        names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let values = self.values.get_or_insert_default();
        let placeholder = format!(":v{}", values.len());
        values.insert(placeholder.clone(), value);
        placeholder
    }
}

/// The key of an item.
pub(crate) fn key(pk: &str, sk: &str) -> Attributes {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

/// An item with its key, without what is null.
pub(crate) fn with_key(place: &Key, item: &Item) -> Result<Attributes, Fault> {
    let mut attributes = Attributes::new();
    for (name, value) in item.iter().filter(|(_, value)| !value.is_null()) {
        attributes.insert(name.clone(), attribute_value(value)?);
    }
    attributes.extend(key(&place.pk, &place.sk));
    Ok(attributes)
}

/// Partition key, sort key and the other attributes of a stored item.
pub(crate) fn without_key(mut attributes: Attributes) -> Result<(String, String, Item), Fault> {
    let mut take = |name| match attributes.remove(name) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(Fault::permanent(format!("an item came back without its {name}"))),
    };
    let (pk, sk) = (take("pk")?, take("sk")?);
    let mut item = Item::new();
    for (name, value) in attributes {
        let value = from_attribute_value(value)
            .map_err(|_| Fault::permanent(format!("attribute {name} in {pk} is of a kind we do not write")))?;
        item.insert(name, value);
    }
    Ok((pk, sk, item))
}

fn attribute_value(value: &Value) -> Result<AttributeValue, Fault> {
    to_attribute_value(value).map_err(|err| Fault::permanent("a value cannot be stored").because(err))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_and_values_are_placeholders_and_none_is_unused() {
        let Value::Object(set) = json!({"name": "Ann", "gone": null}) else { unreachable!() };
        let only_if = [Condition::Exists, Condition::Equals("rev", json!(3)), Condition::Equals("gone", Value::Null)];
        let expression = Expression::of(&Change::Set { set, add: vec![("rev", 1)] }, &only_if).unwrap();
        let condition = expression.condition.unwrap();
        assert_eq!(condition, "attribute_exists(#a0) AND #a1 = :v0 AND attribute_not_exists(#a2)");
        assert_eq!(expression.update.unwrap(), "SET #a3 = :v1 REMOVE #a2 ADD #a1 :v2");
        assert_eq!(expression.names.unwrap().len(), 4);
        assert_eq!(expression.values.unwrap().len(), 3);
    }

    #[test]
    fn a_plain_write_has_no_expression() {
        assert_eq!(Expression::of(&Change::Delete, &[]).unwrap(), Expression::default());
    }
}
