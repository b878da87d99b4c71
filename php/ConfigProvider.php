<?php

declare(strict_types=1);

namespace Proletarier;

/**
 * Provides the package's services and commands, for Mezzio as it is and for Module::getConfig().
 *
 * Nothing here depends on the machine: configuration caches freeze it.
 */
final class ConfigProvider
{
    public function __invoke(): array
    {
        return [
            'dependencies' => $this->getDependencies(),
            'laminas-cli' => $this->getCommands(),
        ];
    }

    public function getDependencies(): array
    {
        return [
            'factories' => [
                'Proletarier\ClientInterface' => Factory\ClientFactory::class,
                'Proletarier\Daemon' => Factory\DaemonFactory::class,
                'Proletarier\Broker' => Factory\BrokerFactory::class,
                'Proletarier\Worker' => Factory\WorkerFactory::class,
                'Proletarier\EventManager' => Factory\EventManagerFactory::class,
                'Proletarier\Log' => Factory\LogFactory::class,
                'Proletarier\Control' => Factory\ControlFactory::class,
                'Proletarier\Spool' => Factory\SpoolFactory::class,
                'Proletarier\Handler\EventLogger' => Factory\EventLoggerFactory::class,
                'Proletarier\Command\RunCommand' => Factory\CommandFactory::class,
                'Proletarier\Command\BrokerCommand' => Factory\CommandFactory::class,
                'Proletarier\Command\WorkerCommand' => Factory\CommandFactory::class,
                'Proletarier\Command\TriggerCommand' => Factory\CommandFactory::class,
                'Proletarier\Command\FailedCommand' => Factory\CommandFactory::class,
                'Proletarier\Command\WaitingCommand' => Factory\CommandFactory::class,
                'Proletarier\Command\SpoolCommand' => Factory\CommandFactory::class,
                'Proletarier\Command\StatusCommand' => Factory\CommandFactory::class,
                'Proletarier\Command\QueuesCommand' => Factory\CommandFactory::class,
                'Proletarier\Command\ReloadCommand' => Factory\CommandFactory::class,
                'Proletarier\Command\StopCommand' => Factory\CommandFactory::class,
            ],
            'aliases' => [
                'Proletarier\Client' => 'Proletarier\ClientInterface',
            ],
        ];
    }

    /**
     * laminas-cli's commands.
     */
    public function getCommands(): array
    {
        return [
            'commands' => [
                'proletarier:run' => 'Proletarier\Command\RunCommand',
                'proletarier:broker' => 'Proletarier\Command\BrokerCommand',
                'proletarier:worker' => 'Proletarier\Command\WorkerCommand',
                'proletarier:trigger' => 'Proletarier\Command\TriggerCommand',
                'proletarier:failed' => 'Proletarier\Command\FailedCommand',
                'proletarier:waiting' => 'Proletarier\Command\WaitingCommand',
                'proletarier:spool' => 'Proletarier\Command\SpoolCommand',
                'proletarier:status' => 'Proletarier\Command\StatusCommand',
                'proletarier:queues' => 'Proletarier\Command\QueuesCommand',
                'proletarier:reload' => 'Proletarier\Command\ReloadCommand',
                'proletarier:stop' => 'Proletarier\Command\StopCommand',
            ],
        ];
    }
}
