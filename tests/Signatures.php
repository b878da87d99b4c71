<?php

declare(strict_types=1);

namespace Proletarier\Tests;

/**
 * Provides what two definitions of one class must have in common.
 */
final class Signatures
{
    /**
     * @return array<string, mixed>
     */
    public static function of(string $name): array
    {
        $class = new \ReflectionClass($name);
        $methods = [];
        foreach ($class->getMethods() as $method) {
            if ($method->getDeclaringClass()->getName() === $class->getName() && !$class->isEnum()) {
                $methods[$method->getName()] = [
                    'modifiers' => \Reflection::getModifierNames($method->getModifiers()),
                    'parameters' => array_map(self::parameter(...), $method->getParameters()),
                    'returns' => (string) $method->getReturnType(),
                ];
            }
        }
        ksort($methods);
        $interfaces = $class->getInterfaceNames();
        sort($interfaces);

        return [
            'name' => $class->getName(),
            'interface' => $class->isInterface(),
            // PHP marks its users' enums as final, and not those of extensions.
            'final' => $class->isFinal() && !$class->isEnum(),
            'parent' => $class->getParentClass() ? $class->getParentClass()->getName() : null,
            'interfaces' => $interfaces,
            'cases' => $class->isEnum() ? array_column($class->getName()::cases(), 'value', 'name') : [],
            'methods' => $methods,
        ];
    }

    private static function parameter(\ReflectionParameter $parameter): string
    {
        $types = explode('|', (string) $parameter->getType());
        sort($types);
        $default = $parameter->isDefaultValueAvailable() ? ' = ' . json_encode($parameter->getDefaultValue()) : '';

        return implode('|', $types) . ' $' . $parameter->getName() . $default;
    }
}
